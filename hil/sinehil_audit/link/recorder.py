"""A witness right at a real board: what it was really asked, and what it answered."""

import zlib
from collections import deque

from sinehil.board.transport import Transport
from sinehil_audit.link.frame_splitter import Cutter
from sinehil_audit.link.known_answers import Firmware
from sinehil_audit.link.reference_parser import CRC, ERROR, IDENTIFY, REPLY, Eye, Seen, body_of
from sinehil_audit.link.simulated_endpoint import Asked

REMEMBERED = 64  # requests that may still be answered: more than fit on a line and into a board


class Book:
    """What boards were asked over one line; one of them at a time is plugged in. ``epoch`` counts their lives."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.epoch = 0


class Tap:
    """See sinehil.board.transport.Transport: passes everything to a board with a known firmware, and keeps the book."""

    def __init__(self, board: Transport, firmware: Firmware, book: Book) -> None:
        self.name = board.name
        self._board, self._firmware, self._book = board, firmware, book
        self._eye, self._replies = Eye(), Cutter()
        self._open: deque[tuple[int, Seen]] = deque(maxlen=REMEMBERED)

    def now(self) -> float:
        """See Transport."""
        return self._board.now()

    def write(self, data: bytes) -> None:
        """See Transport."""
        self._open += [(self._book.epoch, seen) for seen in self._eye.feed(data)]
        self._board.write(data)

    def read(self, timeout_s: float) -> bytes:
        """See Transport."""
        data = self._board.read(timeout_s)
        for piece in self._replies.feed(data):
            self._note(piece)
        return data

    def reopen(self) -> None:
        """See Transport."""
        self._board.reopen()
        self._eye.reset()
        self._book.epoch += 1

    def close(self) -> None:
        """See Transport."""
        self._board.close()

    def _note(self, piece: bytes) -> None:
        """Write down a reply with its request, if it is the reply to one."""
        body = body_of(piece.strip(b"\0"))
        found = next((item for item in self._open if body is not None and _answers(body, item[1])), None)
        if found is not None:
            self._open.remove(found)
            self._book.asked.append(Asked(found[0], self._firmware, found[1], b"\0" + piece.lstrip(b"\0")))


def _answers(body: bytes, request: Seen) -> bool:
    """Return whether a frame is the reply to a request: by type, sequence number, and the checksum that binds them."""
    kind, seq = body[:2]
    if seq != request.seq or kind not in (request.kind | REPLY, ERROR):
        return False
    alone = request.kind == IDENTIFY or kind == ERROR
    crc: int = CRC.unpack_from(body, len(body) - CRC.size)[0]
    return zlib.crc32(body[: -CRC.size], 0 if alone else request.crc) == crc
