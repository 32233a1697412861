"""A wrapper around any transport that spoils what passes, by a schedule, in the transport's own time."""

import math
from collections import deque
from collections.abc import Sequence

from sinehil.base.deadline import Deadline
from sinehil.board.transport import Transport
from sinehil.errors import LinkError
from sinehil_audit.link.fault_kinds import Kind
from sinehil_audit.link.frame_splitter import Cutter
from sinehil_audit.link.one_direction import Step, Wire
from sinehil_audit.link.reference_parser import IDENTIFY, Eye, address
from sinehil_audit.link.schedule import Fault, Schedule, Way
from sinehil_audit.link.seeded_random import Dice

QUIET_S = 0.02  # after which the beginning of a frame, or what is none, goes on as it is


class FaultyTransport:
    """A Transport. ``boards`` are what may be plugged in instead of each other, the first one is.

    The caller opens and closes them. ``earlier`` are requests and replies of an earlier session, for replays; those of
    this one are kept in ``sent`` and ``heard``.
    """

    def __init__(
        self,
        boards: Sequence[Transport],
        schedule: Schedule,
        earlier: tuple[Sequence[bytes], Sequence[bytes]] = ((), ()),
    ) -> None:
        self.name = boards[0].name
        self.sent: list[bytes] = []
        self.heard: list[bytes] = []
        self.faulted: set[int] = set()  # numbers of requests, as the host sent them
        self.sessions: set[int] = set()  # that the host asked for
        self.gone = False
        self._boards, self._board = boards, boards[0]
        self._up = Wire(schedule, Way.TO_BOARD, earlier[0])
        self._down = Wire(schedule, Way.TO_HOST, earlier[1])
        self._going, self._coming = _Queue(), _Queue()
        self._replies = Cutter()
        self._heard_at_s = -math.inf
        self._ahead_s = 0.0
        # of the last request with this sequence number and session
        self._numbers: dict[tuple[int, int], int] = {}

    @property
    def requests(self) -> int:
        """How many the host has sent."""
        return len(self.sent)

    def now(self) -> float:
        """See Transport. It is the plugged board's clock, which goes on where that of the one before stopped."""
        return self._board.now() + self._ahead_s

    def write(self, data: bytes) -> None:
        """See Transport. Each call is a piece that the schedule may strike."""
        self._refuse_if_gone()
        number = len(self.sent)
        self.sent.append(data)
        if place := address(data):
            self._numbers[place] = number
        self.sessions |= {seen.session for seen in Eye().feed(data) if seen.kind == IDENTIFY}
        steps, touched = self._up.carry(data)
        if touched:
            self.faulted.add(number)
        self._going.add(steps, self.now())
        self._deliver()

    def read(self, timeout_s: float) -> bytes:
        """See Transport."""
        deadline = Deadline.after(timeout_s, self.now)
        while True:
            self._deliver()
            self._refuse_if_gone()
            if found := self._arrived():
                return found
            if deadline.expired:
                return b""
            next_s = min(self._going.due_s, self._coming.due_s) - self.now()
            self._hear(max(0.0, min(deadline.remaining_s, next_s)))

    def reopen(self) -> None:
        """See Transport."""
        if self.gone:
            raise LinkError(f"there is no port {self.name}")
        self._begin_life()

    def close(self) -> None:
        """See Transport."""
        for board in self._boards:
            board.close()

    def _deliver(self) -> None:
        """Give the board what is due."""
        while (step := self._going.take(self.now())) is not None:
            if step.data:
                self._board.write(step.data)
            if step.event is not None:
                self._happen(step.event)

    def _arrived(self) -> bytes:
        """Return what is due to the host, up to what ends it all."""
        found = b""
        while (step := self._coming.take(self.now())) is not None:
            found += step.data
            if step.event is not None:
                self._happen(step.event)
        return found

    def _hear(self, timeout_s: float) -> None:
        data = self._board.read(timeout_s)
        if data:
            self._heard_at_s = self.now()
        for piece in self._replies.feed(data):
            self.heard.append(piece)
            steps, touched = self._down.carry(piece)
            number = self._numbers.get(address(piece) or (-1, -1))
            if touched and number is not None:
                self.faulted.add(number)
            self._coming.add(steps, self.now())
        if self.now() - self._heard_at_s >= QUIET_S and (rest := self._replies.rest()):
            self._coming.add([Step(rest)], self.now())

    def _happen(self, fault: Fault) -> None:
        if fault.kind is Kind.DISCONNECTED:
            self.gone = True
            return
        if fault.kind is Kind.EXCHANGED:
            now_s = self.now()
            self._board = self._boards[Dice(fault.word, 1).below(len(self._boards))]
            self._ahead_s = now_s - self._board.now()
        self._begin_life()

    def _begin_life(self) -> None:
        """Reset the board that is plugged in; what was on its way to the host is lost."""
        self._board.reopen()
        self._replies.rest()
        self._coming.clear()

    def _refuse_if_gone(self) -> None:
        if self.gone:
            raise LinkError(f"{self.name} went away in the middle of the work", "plug the board in again")


class _Queue:
    """What is on its way, in its order, and from when on it may arrive."""

    def __init__(self) -> None:
        self._steps: deque[tuple[float, Step]] = deque()

    def add(self, steps: Sequence[Step], now_s: float) -> None:
        """Append steps; one that waits holds up what comes behind it."""
        for step in steps:
            before_s = self._steps[-1][0] if self._steps else now_s
            self._steps.append((max(now_s, before_s) + step.wait_s, step))

    def take(self, now_s: float) -> Step | None:
        """Return the next step if it is due."""
        return self._steps.popleft()[1] if self.due_s <= now_s else None

    def clear(self) -> None:
        """Lose everything."""
        self._steps.clear()

    @property
    def due_s(self) -> float:
        """When the next step is due."""
        return self._steps[0][0] if self._steps else math.inf
