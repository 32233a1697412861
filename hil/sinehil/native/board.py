"""Run the real command handler in this process, as a board and as a transport to it."""

import ctypes
import itertools
from collections.abc import Mapping
from typing import Self

from sinehil.base.folders import resource
from sinehil.native.library import compile_library

SKETCH_FILES = ("protocol.cpp", "commands.cpp", "crc32.c", "float_io.c")


_uptimes = itertools.count(1)


class NativeFirmware:
    """One firmware image; as many boards as wanted run it."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self.library = library

    @classmethod
    def compile(cls, kernel: Mapping[str, str]) -> Self:
        """Compile the sketch's command handler with a kernel in C, given by file name."""
        return cls(compile_library(kernel, SKETCH_FILES, resource("hil/native_board/native_board.cpp")))

    def board(self) -> "NativeBoard":
        """Return a board with this firmware, just reset."""
        return NativeBoard(self.library)


class NativeBoard:
    """A board without a line: what its serial port takes and gives."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        self._memory = ctypes.create_string_buffer(library.native_board_bytes())
        self._reply = ctypes.create_string_buffer(library.native_reply_bytes())
        self._reply_bytes = ctypes.c_uint32()
        self.reset()

    def reset(self, uptime_us: int | None = None) -> None:
        """Forget the session and half-received frames, as a reset does.

        ``uptime_us`` is what the board's clock shows, by which it tells this life from others; without it another one.
        """
        self._library.native_reset(self._memory, next(_uptimes) if uptime_us is None else uptime_us)

    def feed(self, data: bytes) -> list[bytes]:
        """Return the replies, one element each as it stands on the wire, to what has come in until now."""
        replies, rest = [], memoryview(data)
        while rest:
            taken = self._library.native_feed(
                self._memory, bytes(rest), len(rest), self._reply, ctypes.byref(self._reply_bytes)
            )
            rest = rest[taken:]
            if self._reply_bytes.value:
                replies.append(self._reply.raw[: self._reply_bytes.value])
        return replies


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
