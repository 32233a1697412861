"""Assign registers: accumulators of each pass, and inputs that stay in registers.

Inputs: one whose weights are signed bytes, with sums of two bytes, is multiplied as it is, by MULS; any other is 128
more and unsigned, which takes a cycle to make. A sum begins with a product where one can be moved there: its bias is
added to it then, which takes a cycle less than to begin with the bias.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, combinations, pairwise, product

import numpy as np

from sinehil.model.arrays import Int64s
from sinehil_kernels.avr.assembly import Assembly
from sinehil_kernels.speed.folded_network import LOWEST_CODE, ByteTable
from sinehil_kernels.speed.products import PAST, multiply_add
from sinehil_kernels.speed.registers import (
    BYTE,
    FACTOR,
    INPUT,
    LOW,
    THIRD,
    RegisterPool,
    Registers,
    is_upper,
    load,
)
from sinehil_kernels.speed.requantization_plan import scratch
from sinehil_kernels.speed.stage_plan import PlannedNeuron, PlannedStage, bias_comment, weight_comment

Groups = list[list[int]]
SAME, COMPLEMENT, STEP, SUM = 3, 2, 1, 1  # cycles that a product spares another neuron's
MOST_NEURONS = 40
# Orders to start from, by whole numbers, so that they are the same anywhere.
STARTS, PRIME = (83, 151, 199, 227, 31, 59, 109, 173), 257


def grouped(weights: Sequence[Sequence[int]], often: Sequence[int], sizes: Sequence[int]) -> Groups:
    """Return the neurons in groups of these sizes.

    ``weights`` [neuron][source]; ``often`` [source]: on how many inputs it is active.
    Swaps of two neurons, as long as one is for the better, from several starts.
    """
    ends = [0, *accumulate(sizes)]
    natural = [list(range(a, b)) for a, b in pairwise(ends)]
    if len(sizes) < 2 or len(weights) > MOST_NEURONS:
        return natural
    gains = SharingGains.of(np.abs(np.array(weights, np.int64)), np.array(often, np.int64))
    starts = [natural]
    for start in STARTS:
        order = sorted(range(len(weights)), key=lambda which: (which + 1) * start % PRIME)
        starts.append([order[a:b] for a, b in pairwise(ends)])
    best = max((_swapped(gains, start) for start in starts), key=gains.of_all)
    return [sorted(group) for group in best]


@dataclass(frozen=True)
class SharingGains:
    """Cycles that neurons in one pass spare each other: [n, n] by two, [n, n, n] where one is the sum of two."""

    pairs: Int64s
    triples: Int64s

    @classmethod
    def of(cls, factors: Int64s, often: Int64s) -> "SharingGains":
        """Estimate them for factors [n, source]."""
        a, b = factors[:, None], factors[None]
        counts = (a > 1) & (b > 1)
        step = (abs(a - b) == 1) | (a == 2 * b) | (b == 2 * a)
        pairs = (counts * (SAME * (a == b) + STEP * step + COMPLEMENT * (a + b == PAST))) @ often
        triples = SUM * ((a[:, :, None] + b[:, :, None] == factors) & counts[:, :, None]) @ often
        return cls(np.triu(pairs, 1), triples * np.triu(np.ones_like(pairs), 1)[:, :, None])

    def of_group(self, group: Sequence[int]) -> int:
        """Return what a group spares."""
        return int(self.pairs[np.ix_(group, group)].sum() + self.triples[np.ix_(group, group, group)].sum())

    def of_all(self, groups: Groups) -> int:
        """Return what all groups spare."""
        return sum(map(self.of_group, groups))


def _swapped(gains: SharingGains, groups: Groups) -> Groups:
    """Swap neurons of two groups, each time the best two, until nothing gains."""
    found = [list(group) for group in groups]
    while True:
        best, swap = 0, None
        for one, other in combinations(range(len(found)), 2):
            before = gains.of_group(found[one]) + gains.of_group(found[other])
            for i, j in product(range(len(found[one])), range(len(found[other]))):
                first, second = list(found[one]), list(found[other])
                first[i], second[j] = second[j], first[i]
                gain = gains.of_group(first) + gains.of_group(second) - before
                if gain > best:
                    best, swap = gain, (one, first, other, second)
        if swap is None:
            return found
        found[swap[0]], found[swap[2]] = swap[1], swap[3]


FEW = 6  # registers of accumulators that stay through all passes of the stage before
Group = list[tuple[int, Registers]]  # neurons of a stage by index


@dataclass(frozen=True)
class RegisterLayout:
    """The passes of a stage, each with its neurons' registers, and those of the next stage if it is carried along."""

    groups: list[Group]
    carried: Group


@dataclass(frozen=True)
class OneByOne:
    """One accumulator for all neurons in turn, and the bytes of the stage's sources."""

    accumulator: Registers
    sources: Registers


@dataclass(frozen=True)
class RegisterAllocator:
    """Gives registers out; ``outputs``: those that find y_q, ``always``: they are needed all the time."""

    planned: Sequence[PlannedStage]
    outputs: tuple[str, ...]
    always: bool

    def reserved(self, index: int) -> set[str]:
        """Return the registers that the accumulators of a stage leave alone."""
        near = self.planned[max(0, index - 1) : index + 2]
        forms = [made.form.form for stage in near for made in stage.neurons]
        reserved = {register for form in forms for register in scratch(form)}
        return reserved | (set(self.outputs) if index == len(self.planned) - 1 or self.always else set())

    def layout(self, index: int, taken: set[str]) -> RegisterLayout:
        """Return the fewest passes in which the accumulators fit, and those of the next stage where they are few."""
        widths = self.widths(index)
        after = self.widths(index + 1) if index + 1 < len(self.planned) else []
        pool = RegisterPool.of(taken | self.reserved(index), (THIRD, INPUT))
        for passes in range(1, len(widths) + 1):
            bounds = [len(widths) * number // passes for number in range(passes + 1)]
            groups = [_numbered(pool.take(widths[a:b]), a) for a, b in itertools.pairwise(bounds)]
            if not all(groups):
                continue
            if not after:
                return RegisterLayout(groups, [])
            held = taken if passes > 1 or self._looks_at_input(index) else set()
            carried = self.ahead(index, registers_of(groups) | held)
            if carried:
                return self._regrouped(index, pool, taken, RegisterLayout(groups, carried))
            if sum(after) > FEW:
                return RegisterLayout(groups, [])
        return RegisterLayout([], [])

    def _regrouped(
        self, index: int, pool: RegisterPool, taken: set[str], layout: RegisterLayout
    ) -> RegisterLayout:
        """Return the layout with the neurons in passes, and in registers, where they take fewer cycles if there are."""
        planned, before = self.planned[index].neurons, self.planned[index - 1].first if index else None
        weights = [made.neuron.weights for made in planned]
        often = [int(first.active.sum()) for first in before] if before else [1] * len(weights[0])
        groups: list[Group] = []
        for numbers in grouped(weights, often, [len(group) for group in layout.groups]):
            order = sorted(numbers, key=lambda which: planned[which].form.inactive_test != "compare")
            registers = pool.take([planned[which].form.width for which in order])
            groups.append(list(zip(order, registers or [], strict=False)))
        held = registers_of(groups) | (taken if len(groups) > 1 or self._looks_at_input(index) else set())
        carried = self.ahead(index, held) if all(groups) else []
        return RegisterLayout(groups, carried) if carried else layout

    def singly(self, sources: int, pointer: Registers) -> OneByOne | None:
        """Return registers for the first stage if its neurons are computed one by one; None if there are too few."""
        pool = RegisterPool.of({*pointer, *self.reserved(0)}, (INPUT, THIRD))
        taken = pool.take([max(self.widths(0)), *([2] * ((sources + 1) // 2))])
        if taken is None:
            return None
        accumulator, *pairs = taken
        return OneByOne(accumulator, tuple(register for pair in pairs for register in pair)[:sources])

    def ahead(self, index: int, held: set[str]) -> Group:
        """Return registers for the next stage's accumulators that nothing else holds; empty if there are too few."""
        if index + 1 >= len(self.planned):
            return []
        pool = RegisterPool.of(held | self.reserved(index + 1), (THIRD, INPUT))
        return _numbered(pool.take(self.widths(index + 1)), 0)

    def _looks_at_input(self, index: int) -> bool:
        return any(made.form.inactive_test == "codes" for made in self.planned[index].neurons)

    def widths(self, index: int) -> list[int]:
        """Return how many bytes each accumulator of a stage has."""
        return [made.form.width for made in self.planned[index].neurons]


def _numbered(taken: list[Registers] | None, start: int) -> Group:
    return [] if taken is None else list(enumerate(taken, start))


def registers_of(groups: Sequence[Group]) -> set[str]:
    """Return all registers that the groups' accumulators have."""
    return {register for group in groups for _, registers in group for register in registers}


LARGEST_SIGNED, LARGEST_UNSIGNED = 127, 254  # 255 is 256 less 1


@dataclass(frozen=True)
class ResidentInputs:
    """``registers``: one an input; ``signed``: whether it holds the code, else the code + 128 or its table's entry."""

    registers: Registers
    signed: tuple[bool, ...]

    @classmethod
    def of(
        cls, neurons: Sequence[PlannedNeuron], registers: Registers, *, has_table: bool
    ) -> "ResidentInputs":
        """Return which of the inputs can be signed."""
        narrow = not has_table and all(made.form.width == 2 for made in neurons)
        weights = zip(*(made.neuron.weights for made in neurons), strict=True)
        signed = (
            narrow and is_upper(register) and all(map(_is_signed_factor, of_input))
            for register, of_input in zip(registers, weights, strict=True)
        )
        return cls(registers, tuple(signed))

    def load(
        self, assembly: Assembly, pointer: str, lookup: ByteTable | None, busy: Sequence[str]
    ) -> list[tuple[str, str]]:
        """Fetch the inputs behind a pointer; return what is to be moved, to which register and from where.

        ``busy``: registers that are free only then, of which the inputs have one at most.
        """
        late = []
        for number, (register, signed) in enumerate(zip(self.registers, self.signed, strict=True)):
            at = BYTE if register in busy else register if is_upper(register) else LOW
            assembly.op("ld", at, f"{pointer}+", note=f"source {number}")
            if not signed:
                assembly.op("subi", at, 128)
            if lookup is not None:
                lookup.emit(assembly, at, LOWEST_CODE)
            if register in busy:
                late.append((register, at))
            elif at != register:
                assembly.op("mov", register, at)
        return late

    def accumulate(self, assembly: Assembly, layer: int, made: PlannedNeuron, sum_: Registers) -> None:
        """Let the registers be a neuron's accumulator less its offset; clobbers r0, r1 and FACTOR."""
        numbers = [number for number, weight in enumerate(made.neuron.weights) if weight]
        bias = made.neuron.bias - made.form.offset
        bias += 128 * sum(made.neuron.weights[number] for number in numbers if self.signed[number])
        first = next(filter(lambda number: self._can_begin(made, number), numbers), None)
        if first is None or len(sum_) != 2 or not is_upper(sum_[0]):
            load(assembly, sum_, bias, bias_comment(layer, made))
        else:
            numbers.remove(first)
            self._begin(assembly, layer, made, first, bias, sum_)
        for number in numbers:
            self._add(assembly, made, number, sum_)

    def _can_begin(self, made: PlannedNeuron, number: int) -> bool:
        weight = made.neuron.weights[number]
        return self.signed[number] or 2 < weight <= LARGEST_UNSIGNED

    def _begin(
        self, assembly: Assembly, layer: int, made: PlannedNeuron, number: int, bias: int, sum_: Registers
    ) -> None:
        self._multiply(assembly, made, number)
        assembly.op("movw", sum_[0], "r0", note=weight_comment(made, number))
        assembly.op("subi", sum_[0], -bias & 0xFF, note=bias_comment(layer, made))
        assembly.op("sbci", sum_[1], -bias >> 8 & 0xFF)

    def _multiply(self, assembly: Assembly, made: PlannedNeuron, number: int) -> None:
        assembly.op("ldi", FACTOR, made.neuron.weights[number] & 0xFF)
        assembly.op("muls" if self.signed[number] else "mul", self.registers[number], FACTOR)

    def _add(self, assembly: Assembly, made: PlannedNeuron, number: int, sum_: Registers) -> None:
        if not self.signed[number]:
            term = (made.neuron.weights[number], sum_, weight_comment(made, number))
            multiply_add(assembly, self.registers[number], [term])
            return
        self._multiply(assembly, made, number)
        assembly.op("add", sum_[0], "r0", note=weight_comment(made, number))
        assembly.op("adc", sum_[1], "r1")


def _is_signed_factor(weight: int) -> bool:
    return weight == 0 or 2 < abs(weight) <= LARGEST_SIGNED
