"""A transport whose frames are traced in both directions, whoever speaks over it."""

from sinehil.board.protocol import DropReason, Frame, FrameDecoder, SentRequests
from sinehil.board.trace import Trace, TraceKind
from sinehil.board.transport import Transport


class TracedLine:
    """See sinehil.board.transport.Transport. ``name`` stands in the trace for this place on the line."""

    def __init__(self, line: Transport, trace: Trace, name: str) -> None:
        self.name = name
        self._line, self._trace = line, trace
        self._begin()

    def now(self) -> float:
        """See Transport."""
        return self._line.now()

    def write(self, data: bytes) -> None:
        """See Transport."""
        for request in self._to_board.feed(data):
            self._requests.add(request)
            self._record(TraceKind.SENT, request)
        self._line.write(data)

    def read(self, timeout_s: float) -> bytes:
        """See Transport."""
        data = self._line.read(timeout_s)
        for reply in self._to_host.feed(data):
            self._record(TraceKind.RECEIVED, reply)
        return data

    def reopen(self) -> None:
        """See Transport."""
        self._record(TraceKind.RESET, note="the port is opened")
        self._line.reopen()
        self._begin()

    def close(self) -> None:
        """See Transport."""
        self._line.close()

    def _begin(self) -> None:
        self._requests = SentRequests()
        self._to_board = FrameDecoder(dropped=lambda why, data: self._no_frame("to the board", why, data))
        self._to_host = FrameDecoder(
            self._requests.crc_before, lambda why, data: self._no_frame("to the host", why, data)
        )

    def _no_frame(self, way: str, reason: DropReason, data: bytes) -> None:
        self._record(TraceKind.DROPPED, note=f"{way}: {reason}", data=data)

    def _record(self, kind: TraceKind, frame: Frame | None = None, note: str = "", data: bytes = b"") -> None:
        self._trace.record(self.now(), self.name, kind, frame, note, data)
