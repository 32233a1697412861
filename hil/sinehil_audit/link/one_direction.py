"""One way of a line: what becomes of each piece, by the schedule. No clock and no port."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from sinehil_audit.link.fault_kinds import DAMAGE, ENDING, Kind
from sinehil_audit.link.schedule import Fault, Schedule, Way
from sinehil_audit.link.seeded_random import Dice

MAX_DELAY_MS, MAX_STALL_MS = 4000, 5000
WRAP = 256  # requests until a sequence number comes again


@dataclass(frozen=True)
class Step:
    """What happens next on the way: nothing for ``wait_s``, then ``data`` pass, then perhaps ``event`` ends it all."""

    data: bytes = b""
    wait_s: float = 0.0
    event: Fault | None = None


class Wire:
    """Feed it pieces in order. ``earlier`` are pieces of an earlier session, for replays."""

    def __init__(self, schedule: Schedule, way: Way, earlier: Sequence[bytes] = ()) -> None:
        self._faults = {fault.piece: fault for fault in schedule.faults if fault.way is way}
        self._noise = BitErrors(schedule.bit_error_rate, Dice(schedule.noise_seed, list(Way).index(way)))
        self._earlier = earlier
        self._held: list[bytes] = []
        self._later: defaultdict[int, list[bytes]] = defaultdict(list)
        self._pieces = 0

    def carry(self, data: bytes) -> tuple[list[Step], bool]:
        """Return what becomes of a piece, and whether that is something else than that it passes."""
        number, self._pieces = self._pieces, self._pieces + 1
        fault = self._faults.get(number)
        steps = [Step(data)] if fault is None else self._strike(fault, data)
        late = self._later.pop(number, [])
        if self._held and (fault is None or fault.kind is not Kind.REORDERED):
            late, self._held = [*self._held, *late], []
        steps += map(Step, late)
        if self._noise.rate:
            steps = [Step(self._noise.damage(step.data), step.wait_s, step.event) for step in steps]
        return steps, steps != [Step(data)]

    def _strike(self, fault: Fault, data: bytes) -> list[Step]:
        dice, kind = Dice(fault.word), fault.kind
        if kind in DAMAGE:
            return [Step(DAMAGE[kind](data, dice))]
        if kind in ENDING:
            at = dice.below(len(data) + 1)
            return [Step(data[:at], event=fault), Step(data[at:])]
        if kind is Kind.DELAYED:
            return [Step(data, dice.between(1, MAX_DELAY_MS) / 1000)]
        if kind is Kind.STALLED:
            at = dice.below(len(data))
            return [Step(data[:at]), Step(data[at:], dice.between(1, MAX_STALL_MS) / 1000)]
        if kind is Kind.TWICE:
            return self._twice(data, dice)
        if kind is Kind.REORDERED:
            self._held.append(data)
            return []
        return self._replay(data, dice)

    def _twice(self, data: bytes, dice: Dice) -> list[Step]:
        """Repeat at once, a few pieces later, or when the sequence number comes again."""
        after = (0, dice.between(1, 8), dice.between(WRAP - 12, WRAP + 12))[dice.below(3)]
        if after == 0:
            return [Step(data), Step(data)]
        self._later[self._pieces - 1 + after].append(data)
        return [Step(data)]

    def _replay(self, data: bytes, dice: Dice) -> list[Step]:
        """Put a few pieces of an earlier session before, behind or in the place of this one."""
        if not self._earlier:
            return [Step(data)]
        first = dice.below(len(self._earlier))
        old = b"".join(self._earlier[first : first + dice.between(1, 4)])
        return [Step((old + data, data + old, old)[dice.below(3)])]


class BitErrors:
    """Independent errors of the bits that pass, one in ``1 / rate``."""

    def __init__(self, rate: float, dice: Dice) -> None:
        self.rate, self._dice = rate, dice
        self._next = dice.gap(rate) if rate else 0

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
