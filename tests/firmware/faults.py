"""Bad lines: each wraps a transport and spoils what passes, the same way every time."""

from collections.abc import Callable

from sinehil.board.transport import Transport

Spoil = Callable[[int, bytes], bytes]


class BadLine:
    """Passes everything through ``on_request`` and ``on_reply``, which get the piece's number and its bytes.

    Replies are cut at their delimiters, so that one piece is one reply as it stood on the wire.
    """

    def __init__(
        self, inner: Transport, on_request: Spoil | None = None, on_reply: Spoil | None = None
    ) -> None:
        self.name = inner.name
        self.inner = inner
        self.requests = self.replies = 0
        self._on_request, self._on_reply = on_request, on_reply
        self._pending, self._ready = b"", b""

    def now(self) -> float:
        return self.inner.now()

    def read(self, timeout_s: float) -> bytes:
        self._take()
        if not self._ready:
            self._pending += self.inner.read(timeout_s)
            self._take()
        ready, self._ready = self._ready, b""
        return ready

    def write(self, data: bytes) -> None:
        self.requests += 1
        self.inner.write(self._on_request(self.requests, data) if self._on_request else data)

    def reopen(self) -> None:
        self.inner.reopen()

    def close(self) -> None:
        self.inner.close()

    def _take(self) -> None:
        """Move whole replies, spoiled, from what was received to what the reader gets."""
        while (end := self._pending.find(b"\0", 1)) > 0:
            reply, self._pending = self._pending[: end + 1], self._pending[end + 1 :]
            self.replies += 1
            self._ready += self._on_reply(self.replies, reply) if self._on_reply else reply


def lose(number: int) -> Spoil:
    return lambda at, data: b"" if at == number else data


def lose_every(period: int) -> Spoil:
    return lambda at, data: b"" if at % period == 0 else data


def flip_bit(number: int, bit: int) -> Spoil:
    def spoil(at: int, data: bytes) -> bytes:
        if at != number:
            return data
        damaged = bytearray(data)
        damaged[bit // 8 % len(data)] ^= 1 << bit % 8
        return bytes(damaged)

    return spoil


def cut_short(number: int) -> Spoil:
    return lambda at, data: data[: len(data) // 2] if at == number else data


def twice(number: int) -> Spoil:
    return lambda at, data: data + data if at == number else data


def add_before(number: int, noise: bytes) -> Spoil:
    return lambda at, data: noise + data if at == number else data


def both(first: Spoil, second: Spoil) -> Spoil:
    return lambda at, data: second(at, first(at, data))


def always_lose_after(number: int) -> Spoil:
    return lambda at, data: b"" if at > number else data
