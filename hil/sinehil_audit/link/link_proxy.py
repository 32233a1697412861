"""Open a PTY in front of a board, behind which the line fails by a schedule, for any program."""

import contextlib
import os
import pty
import select
import time
import tty
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from sinehil.base.deadline import Deadline
from sinehil.board.protocol import DropReason, Frame, FrameDecoder, SentRequests
from sinehil.board.trace import TraceKind, TraceSink
from sinehil.board.transport import Transport
from sinehil.errors import LinkError, UsageError
from sinehil_audit.link.faulty_transport import QUIET_S, FaultyTransport
from sinehil_audit.link.reference_parser import FrameSplitter


class TracedLine:
    """See sinehil.board.transport.Transport. ``name`` stands in the trace for this place on the line."""

    def __init__(self, line: Transport, trace: TraceSink, name: str) -> None:
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


POLL_S = 0.002  # until an open, or what a program has written, is noticed
UNPLUGGED_S = 1.0
CHUNK = 4096

LineOf = Callable[[int], FaultyTransport]
Ended = Callable[[int, FaultyTransport], None]


class ProxyPort:
    """The end that programs open: a PTY behind a link. Linux tells the master whether anybody has it open."""

    def __init__(self, link: Path) -> None:
        if link.exists():  # a link that leads nowhere was left by somebody who was killed
            raise UsageError(f"{link} exists", "choose another --link, or remove it")
        self.link = link
        self._master, slave = pty.openpty()
        self._slave = os.ttyname(slave)
        tty.setraw(slave)
        os.close(slave)
        os.set_blocking(self._master, False)
        beside = link.with_name(f".{link.name}.{os.getpid()}")
        try:
            beside.symlink_to(self._slave)
            beside.replace(link)
        except OSError as error:
            os.close(self._master)
            raise UsageError(f"cannot make {link}: {error.strerror}", "choose another --link") from error

    @property
    def is_open(self) -> bool:
        """Whether a program has the port open."""
        poll = select.poll()
        poll.register(self._master, 0)
        return not any(events & select.POLLHUP for _, events in poll.poll(0))

    def read(self) -> bytes:
        """Return what a program has written; nothing when it is gone."""
        with contextlib.suppress(BlockingIOError, OSError):
            return os.read(self._master, CHUNK)
        return b""

    def write(self, data: bytes) -> None:
        """Give the program data; what it does not read in time is lost, as in a UART without flow control."""
        with contextlib.suppress(BlockingIOError, OSError):
            os.write(self._master, data)

    def unplug(self) -> None:
        """Let the port disappear; unplugging twice is fine."""
        if self._master < 0:
            return
        if self.link.is_symlink() and str(self.link.readlink()) == self._slave:
            self.link.unlink()
        os.close(self._master)
        self._master = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.unplug()


def serve(
    link: Path,
    line_of: LineOf,
    cases: Iterator[int],
    ended: Ended,
    plugged: Callable[[], None],
    trace: TraceSink | None = None,
) -> None:
    """Pass on what programs and the board say to each other, a case for each open, until ``cases`` end.

    ``plugged`` is called when the port can be opened, ``ended`` after each case. Raises LinkError when the board's own
    port goes away.
    """
    case = next(cases, None)
    while case is not None:
        with ProxyPort(link) as port:
            plugged()
            while case is not None and not (line := _serve_one(port, line_of, case, trace)).gone:
                ended(case, line)
                case = next(cases, None)
            if case is not None:
                ended(case, line)
                case = next(cases, None)
                port.unplug()
                time.sleep(UNPLUGGED_S)


def _serve_one(port: ProxyPort, line_of: LineOf, case: int, trace: TraceSink | None) -> FaultyTransport:
    """Wait for a program, and serve it until it closes the port or the schedule pulls the plug."""
    while not port.is_open:
        time.sleep(POLL_S)
    line = line_of(case)
    line.reopen()  # as an open of the board's own port resets it
    try:
        _relay(port, line if trace is None else TracedLine(line, trace, str(port.link)))
    except LinkError:
        if not line.gone:
            raise
    return line


def _relay(port: ProxyPort, line: Transport) -> None:
    requests = FrameSplitter()
    quiet = Deadline.after(QUIET_S)
    while True:
        is_open = port.is_open  # asked before the read, so that nothing written before the close stays behind
        if data := port.read():
            quiet = Deadline.after(QUIET_S)
        pieces = requests.feed(data)
        if quiet.expired and (rest := requests.rest()):
            pieces.append(rest)
        for piece in pieces:
            line.write(piece)
        if not is_open:
            return
        if reply := line.read(POLL_S):
            port.write(reply)
