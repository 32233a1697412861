"""The native firmware as a transport: what sinehil.board.device talks to in these tests."""

import select
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from sinehil.board.protocol import Frame, FrameDecoder, SentRequests, encode_frame
from sinehil.errors import LinkError

Build = Callable[..., Path]
Start = Callable[..., "NativeLink"]


class NativeLink:
    """A byte pipe to a program on this machine; see sinehil.board.transport.Transport."""

    def __init__(self, program: Path) -> None:
        self.name = program.name
        self._process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        assert self._process.stdin is not None and self._process.stdout is not None
        self._sent, self._requests = SentRequests(), FrameDecoder()
        self._decoder, self._frames = FrameDecoder(self._sent.crc_before), list[Frame]()
        self._stdin, self._stdout = self._process.stdin, self._process.stdout

    def now(self) -> float:
        return time.monotonic()

    def read(self, timeout_s: float) -> bytes:
        if not select.select([self._stdout], [], [], timeout_s)[0]:
            return b""
        data = self._stdout.read(4096)
        if not data:
            raise LinkError("the native firmware ended")
        return data

    def write(self, data: bytes) -> None:
        for request in self._requests.feed(data):
            self._sent.add(request)
        try:
            self._stdin.write(data)
        except BrokenPipeError as error:
            raise LinkError("the native firmware ended") from error

    def reopen(self) -> None:
        raise AssertionError("no test here gets so far")

    def close(self) -> None:
        self._stdin.close()

    def end(self) -> int:
        """Close its input and return its exit code."""
        self.close()
        code = self._process.wait(10)
        self._stdout.close()
        return code

    def ask(self, request: Frame) -> Frame:
        """Send one request and return the frame that comes back."""
        self.write(encode_frame(request))
        return self.next_frame()

    def next_frame(self) -> Frame:
        """Return the next frame; those behind it are kept for the next call."""
        while not self._frames:
            data = self.read(10.0)
            assert data, "no answer"
            self._frames += self._decoder.feed(data)
        return self._frames.pop(0)
