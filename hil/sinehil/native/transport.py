"""A native board as a transport: nothing to wait for, so that time passes only where a reply is missing."""

from sinehil.native.board import NativeBoard


class NativeTransport:
    """See sinehil.board.transport.Transport."""

    def __init__(self, board: NativeBoard, name: str = "native") -> None:
        self.name = name
        self._board, self._replies, self._now_s = board, bytearray(), 0.0

    def now(self) -> float:
        """Return simulated seconds: those that somebody waited in vain."""
        return self._now_s

    def read(self, timeout_s: float) -> bytes:
        """Return what the board has answered; where that is nothing, ``timeout_s`` has passed."""
        data = bytes(self._replies)
        self._replies.clear()
        if not data:
            self._now_s += timeout_s
        return data

    def write(self, data: bytes) -> None:
        """Give the board ``data``, and keep its replies."""
        self._replies += b"".join(self._board.feed(data))

    def reopen(self) -> None:
        """Reset the board."""
        self._replies.clear()
        self._board.reset()

    def close(self) -> None:
        """Do nothing: there is no port."""
