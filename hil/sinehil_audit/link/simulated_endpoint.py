"""The board's end of a simulated line: its receive ring, time and resets, and the book of what it was asked."""

import math
from collections.abc import Callable
from dataclasses import dataclass

from sinehil_audit.link.known_answers import Firmware
from sinehil_audit.link.reference_parser import IDENTIFY, Eye, Seen

BYTE_S = 10 / 115200
RING_BYTES = 63
BOOT_S = 1.1  # a bootloader listens first, to something else
IDENTIFY_S, REQUEST_S, PAYLOAD_BYTE_S = 0.01, 0.0003, 0.00012

Answer = Callable[[float, bytes, Seen], float]


@dataclass(frozen=True)
class Asked:
    """A request that a board answered. An epoch is a board's life between two resets; every one has its number."""

    epoch: int
    firmware: Firmware
    request: Seen
    reply: bytes


class Station:
    """``answer`` is called with when a reply is ready, its bytes and its request; it returns when the board goes on."""

    def __init__(self, firmware: Firmware, answer: Answer) -> None:
        self.book: list[Asked] = []
        self.epoch = 0
        self.surprises: list[str] = []
        self._answer = answer
        self._eye = Eye()
        self._ring = bytearray()
        self._busy_until = self._deaf_until = 0.0
        self.plug_in(firmware, 0.0, 0.0)

    def plug_in(self, firmware: Firmware, at: float, boot_s: float = BOOT_S) -> None:
        """Put another board, or the same one, at the end of the line."""
        self.firmware, self._board = firmware, firmware.image.board()
        self.reset(at, boot_s)

    def reset(self, at: float, boot_s: float = BOOT_S) -> None:
        """Let the board forget everything, and hear nothing for ``boot_s``."""
        self.epoch += 1
        self._board.reset(self.epoch)
        self._eye.reset()
        self._ring.clear()
        self._busy_until, self._deaf_until = at, at + boot_s

    def arrive(self, at: float, data: bytes) -> None:
        """Take bytes of the line; the first one is complete at ``at``."""
        while data:
            if at < self._deaf_until:
                missed = math.ceil((self._deaf_until - at) / BYTE_S)
                data, at = data[missed:], at + missed * BYTE_S
                continue
            self.catch_up(at)
            if self._busy_until > at:
                count = min(len(data), math.ceil((self._busy_until - at) / BYTE_S))
                room = RING_BYTES - len(self._ring)
                self._ring += data[: min(count, room)]
            else:
                count = _to_delimiter(data)
                self._take(data[:count], at + (count - 1) * BYTE_S)
            data, at = data[count:], at + count * BYTE_S

    def catch_up(self, until: float) -> None:
        """Let the board work until then."""
        while self._ring and self._busy_until <= until:
            count = _to_delimiter(self._ring)
            piece = bytes(self._ring[:count])
            del self._ring[:count]
            self._take(piece, self._busy_until)

    @property
    def works_at(self) -> float:
        """When the board has something to do next, if nothing more arrives."""
        return self._busy_until if self._ring else math.inf

    def _take(self, piece: bytes, at: float) -> None:
        requests, replies = self._eye.feed(piece), self._board.feed(piece)
        if len(requests) != len(replies):
            self.surprises.append(
                f"the board answered {len(replies)} of {len(requests)} requests in {piece!r}"
            )
            return
        epoch, self._busy_until = self.epoch, max(at, self._busy_until)
        for seen, reply in zip(requests, replies, strict=True):
            if self.epoch != epoch:
                return
            self.book.append(Asked(epoch, self.firmware, seen, reply))
            goes_on = self._answer(self._busy_until + _work_s(seen), reply, seen)
            if self.epoch == epoch:
                self._busy_until = goes_on


def _to_delimiter(data: bytes | bytearray) -> int:
    """Return how many bytes end with the first zero that could end a frame."""
    return data.find(0, 1) + 1 or len(data)


def _work_s(seen: Seen) -> float:
    return IDENTIFY_S if seen.kind == IDENTIFY else REQUEST_S + PAYLOAD_BYTE_S * len(seen.payload)
