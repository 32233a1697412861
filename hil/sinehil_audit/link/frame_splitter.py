"""A stream of bytes cut into frames as they stand on the wire."""


class Cutter:
    """Feed it bytes as they come. What is no frame stays with the delimiter that ends it."""

    def __init__(self) -> None:
        self._pending = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Return the pieces that ``data`` completes, with their delimiters."""
        self._pending += data
        pieces = []
        while (end := self._pending.find(b"\0", 1)) > 0:
            pieces.append(self._pending[: end + 1])
            self._pending = self._pending[end + 1 :]
        return pieces

    def rest(self) -> bytes:
        """Return what no delimiter has ended yet, and forget it."""
        rest, self._pending = self._pending, b""
        return rest
