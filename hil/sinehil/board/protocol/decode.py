"""Decode bytes to frames: a state machine that never raises; what is wrong is dropped and counted."""

import zlib
from collections.abc import Callable
from enum import StrEnum

from cobs import cobs

from sinehil.board.protocol.frame import CRC, HEADER, MAX_FRAME, Frame

MAX_ENCODED = MAX_FRAME + 2  # COBS adds one byte in 254
KEPT_GARBAGE = 256


class DropReason(StrEnum):
    """Why bytes that a delimiter has ended are no frame."""

    TOO_LONG = "longer than any frame"
    BAD_FRAMING = "no COBS, or no frame's length"
    BAD_CRC = "bad CRC"


Dropped = Callable[[DropReason, bytes], None]


def nothing_before(_kind: int, _seq: int) -> int:
    """Return what the CRC of a request goes on from."""
    return 0


class FrameDecoder:
    """Feed it bytes as they come, in pieces of any size.

    ``crc_before`` returns what the CRC of a frame goes on from, by its type and sequence number: see SentRequests.
    ``dropped`` is called with what each delimiter ends that is no frame; of what is too long, the last bytes.
    """

    def __init__(
        self, crc_before: Callable[[int, int], int] = nothing_before, dropped: Dropped | None = None
    ) -> None:
        self._crc_before, self._dropped = crc_before, dropped
        self._pending = bytearray()
        self._overlong = False
        self.crc_errors = 0
        self.framing_errors = 0
        self._discarded = b""

    @property
    def discarded(self) -> bytes:
        """The last bytes that were no part of a frame, those that no delimiter has ended yet included."""
        return (self._discarded + self._pending)[-KEPT_GARBAGE:]

    def feed(self, data: bytes) -> list[Frame]:
        """Return the frames that ``data`` completes."""
        *complete, rest = data.split(b"\0")
        frames = []
        for piece in complete:
            self._append(piece)
            frame = self._finish()
            if frame is not None:
                frames.append(frame)
        self._append(rest)
        return frames

    def _append(self, piece: bytes) -> None:
        """Keep at most one frame's bytes; a longer run is garbage, kept only for the diagnosis."""
        if self._overlong or len(self._pending) + len(piece) > MAX_ENCODED:
            self._discard(bytes(self._pending) + piece)
            self._pending.clear()
            self._overlong = True
        else:
            self._pending += piece

    def _finish(self) -> Frame | None:
        encoded, overlong = bytes(self._pending), self._overlong
        self._pending.clear()
        self._overlong = False
        if overlong:
            self.framing_errors += 1
            self._tell(DropReason.TOO_LONG, self._discarded)
            return None
        return self._decode(encoded) if encoded else None

    def _decode(self, encoded: bytes) -> Frame | None:
        try:
            body = cobs.decode(encoded)
        except cobs.DecodeError:
            body = b""
        if not HEADER.size + CRC.size <= len(body) <= MAX_FRAME:
            self.framing_errors += 1
            self._discard(encoded)
            self._tell(DropReason.BAD_FRAMING, encoded)
            return None
        kind, seq, session = HEADER.unpack_from(body)
        before = self._crc_before(kind, seq)
        if zlib.crc32(body[: -CRC.size], before) != CRC.unpack(body[-CRC.size :])[0]:
            self.crc_errors += 1
            self._discard(encoded)
            self._tell(DropReason.BAD_CRC, encoded)
            return None
        return Frame(kind, seq, session, body[HEADER.size : -CRC.size])

    def _tell(self, reason: DropReason, data: bytes) -> None:
        if self._dropped is not None:
            self._dropped(reason, data)

    def _discard(self, data: bytes) -> None:
        self._discarded = (self._discarded + data)[-KEPT_GARBAGE:]
