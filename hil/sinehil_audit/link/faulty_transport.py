"""Wrap any transport and spoil what passes it by a schedule, in the transport's own time."""

import math
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass

from sinehil.base.deadline import Deadline
from sinehil.board.transport import Transport
from sinehil.errors import LinkError
from sinehil_audit.link.fault_schedule import (
    DAMAGE,
    ENDING,
    Direction,
    Fault,
    FaultKind,
    Schedule,
    SeededRandom,
)
from sinehil_audit.link.reference_parser import IDENTIFY, FrameSplitter, RequestParser, address

MAX_DELAY_MS, MAX_STALL_MS = 4000, 5000
WRAP = 256  # requests until a sequence number comes again


@dataclass(frozen=True)
class LineStep:
    """What happens next: nothing for ``wait_s``, then ``data`` pass, then perhaps ``event`` ends it all."""

    data: bytes = b""
    wait_s: float = 0.0
    event: Fault | None = None


class FaultyDirection:
    """What becomes of each piece in one direction, by the schedule; no clock and no port.

    Feed it pieces in order. ``earlier`` are pieces of an earlier session, for replays.
    """

    def __init__(self, schedule: Schedule, direction: Direction, earlier: Sequence[bytes] = ()) -> None:
        self._faults = {fault.piece: fault for fault in schedule.faults if fault.direction is direction}
        self._noise = BitErrors(
            schedule.bit_error_rate, SeededRandom(schedule.noise_seed, list(Direction).index(direction))
        )
        self._earlier = earlier
        self._held: list[bytes] = []
        self._later: defaultdict[int, list[bytes]] = defaultdict(list)
        self._pieces = 0

    def carry(self, data: bytes) -> tuple[list[LineStep], bool]:
        """Return what becomes of a piece, and whether that is something else than that it passes."""
        number, self._pieces = self._pieces, self._pieces + 1
        fault = self._faults.get(number)
        steps = [LineStep(data)] if fault is None else self._strike(fault, data)
        late = self._later.pop(number, [])
        if self._held and (fault is None or fault.kind is not FaultKind.REORDERED):
            late, self._held = [*self._held, *late], []
        steps += map(LineStep, late)
        if self._noise.rate:
            steps = [LineStep(self._noise.damage(step.data), step.wait_s, step.event) for step in steps]
        return steps, steps != [LineStep(data)]

    def _strike(self, fault: Fault, data: bytes) -> list[LineStep]:
        rng, kind = SeededRandom(fault.word), fault.kind
        if kind in DAMAGE:
            return [LineStep(DAMAGE[kind](data, rng))]
        if kind in ENDING:
            at = rng.below(len(data) + 1)
            return [LineStep(data[:at], event=fault), LineStep(data[at:])]
        if kind is FaultKind.DELAYED:
            return [LineStep(data, rng.between(1, MAX_DELAY_MS) / 1000)]
        if kind is FaultKind.STALLED:
            at = rng.below(len(data))
            return [LineStep(data[:at]), LineStep(data[at:], rng.between(1, MAX_STALL_MS) / 1000)]
        if kind is FaultKind.TWICE:
            return self._twice(data, rng)
        if kind is FaultKind.REORDERED:
            self._held.append(data)
            return []
        return self._replay(data, rng)

    def _twice(self, data: bytes, rng: SeededRandom) -> list[LineStep]:
        """Repeat at once, a few pieces later, or when the sequence number comes again."""
        after = (0, rng.between(1, 8), rng.between(WRAP - 12, WRAP + 12))[rng.below(3)]
        if after == 0:
            return [LineStep(data), LineStep(data)]
        self._later[self._pieces - 1 + after].append(data)
        return [LineStep(data)]

    def _replay(self, data: bytes, rng: SeededRandom) -> list[LineStep]:
        """Put a few pieces of an earlier session before, behind or in the place of this one."""
        if not self._earlier:
            return [LineStep(data)]
        first = rng.below(len(self._earlier))
        old = b"".join(self._earlier[first : first + rng.between(1, 4)])
        return [LineStep((old + data, data + old, old)[rng.below(3)])]


class BitErrors:
    """Independent errors of the bits that pass, one in ``1 / rate``."""

    def __init__(self, rate: float, rng: SeededRandom) -> None:
        self.rate, self._dice = rate, rng
        self._next = rng.gap(rate) if rate else 0

    def damage(self, data: bytes) -> bytes:
        """Return the bytes as they arrive."""
        bits = 8 * len(data)
        if self._next >= bits:
            self._next -= bits
            return data
        damaged = bytearray(data)
        while self._next < bits:
            damaged[self._next // 8] ^= 1 << self._next % 8
            self._next += 1 + self._dice.gap(self.rate)
        self._next -= bits
        return bytes(damaged)


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
        self._up = FaultyDirection(schedule, Direction.TO_BOARD, earlier[0])
        self._down = FaultyDirection(schedule, Direction.TO_HOST, earlier[1])
        self._going, self._coming = _Queue(), _Queue()
        self._replies = FrameSplitter()
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
        self.sessions |= {seen.session for seen in RequestParser().feed(data) if seen.kind == IDENTIFY}
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
            self._coming.add([LineStep(rest)], self.now())

    def _happen(self, fault: Fault) -> None:
        if fault.kind is FaultKind.DISCONNECTED:
            self.gone = True
            return
        if fault.kind is FaultKind.EXCHANGED:
            now_s = self.now()
            self._board = self._boards[SeededRandom(fault.word, 1).below(len(self._boards))]
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
        self._steps: deque[tuple[float, LineStep]] = deque()

    def add(self, steps: Sequence[LineStep], now_s: float) -> None:
        """Append steps; one that waits holds up what comes behind it."""
        for step in steps:
            before_s = self._steps[-1][0] if self._steps else now_s
            self._steps.append((max(now_s, before_s) + step.wait_s, step))

    def take(self, now_s: float) -> LineStep | None:
        """Return the next step if it is due."""
        return self._steps.popleft()[1] if self.due_s <= now_s else None

    def clear(self) -> None:
        """Lose everything."""
        self._steps.clear()

    @property
    def due_s(self) -> float:
        """When the next step is due."""
        return self._steps[0][0] if self._steps else math.inf
