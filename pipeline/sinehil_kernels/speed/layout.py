"""Which accumulators of a stage are in which registers, and in which of its passes."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from sinehil_kernels.speed.grouping import grouped
from sinehil_kernels.speed.registers import INPUT, THIRD, Pool, Registers
from sinehil_kernels.speed.requantization import scratch
from sinehil_kernels.speed.stage_plan import PlannedStage

FEW = 6  # registers of accumulators that are kept through all passes of the stage before
Group = list[tuple[int, Registers]]  # neurons of a stage by index


@dataclass(frozen=True)
class Layout:
    """The passes of a stage, each with its neurons' registers, and those of the next stage if it is carried along."""

    groups: list[Group]
    carried: Group


@dataclass(frozen=True)
class Singly:
    """One accumulator for all neurons in turn, and the bytes of the stage's sources."""

    accumulator: Registers
    sources: Registers


@dataclass(frozen=True)
class Registrar:
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

    def layout(self, index: int, taken: set[str]) -> Layout:
        """Return the fewest passes in which the accumulators fit, with room for the next stage's where they are few."""
        widths = self.widths(index)
        after = self.widths(index + 1) if index + 1 < len(self.planned) else []
        pool = Pool.of(taken | self.reserved(index), (THIRD, INPUT))
        for passes in range(1, len(widths) + 1):
            bounds = [len(widths) * number // passes for number in range(passes + 1)]
            groups = [_numbered(pool.take(widths[a:b]), a) for a, b in itertools.pairwise(bounds)]
            if not all(groups):
                continue
            if not after:
                return Layout(groups, [])
            held = taken if passes > 1 or self._looks_at_input(index) else set()
            carried = self.ahead(index, registers_of(groups) | held)
            if carried:
                return self._regrouped(index, pool, taken, Layout(groups, carried))
            if sum(after) > FEW:
                return Layout(groups, [])
        return Layout([], [])

    def _regrouped(self, index: int, pool: Pool, taken: set[str], layout: Layout) -> Layout:
        """Return the layout with the neurons in passes, and in registers, where they take fewer cycles if there are."""
        planned, before = self.planned[index].neurons, self.planned[index - 1].first if index else None
        weights = [made.neuron.weights for made in planned]
        often = [int(first.active.sum()) for first in before] if before else [1] * len(weights[0])
        groups: list[Group] = []
        for numbers in grouped(weights, often, [len(group) for group in layout.groups]):
            order = sorted(numbers, key=lambda which: planned[which].form.rest != "compare")
            registers = pool.take([planned[which].form.width for which in order])
            groups.append(list(zip(order, registers or [], strict=False)))
        held = registers_of(groups) | (taken if len(groups) > 1 or self._looks_at_input(index) else set())
        carried = self.ahead(index, held) if all(groups) else []
        return Layout(groups, carried) if carried else layout

    def singly(self, sources: int, pointer: Registers) -> Singly | None:
        """Return registers for the first stage if its neurons are computed one by one; None if there are too few."""
        pool = Pool.of({*pointer, *self.reserved(0)}, (INPUT, THIRD))
        taken = pool.take([max(self.widths(0)), *([2] * ((sources + 1) // 2))])
        if taken is None:
            return None
        accumulator, *pairs = taken
        return Singly(accumulator, tuple(register for pair in pairs for register in pair)[:sources])

    def ahead(self, index: int, held: set[str]) -> Group:
        """Return registers for the next stage's accumulators that nothing else holds; empty if there are too few."""
        if index + 1 >= len(self.planned):
            return []
        pool = Pool.of(held | self.reserved(index + 1), (THIRD, INPUT))
        return _numbered(pool.take(self.widths(index + 1)), 0)

    def _looks_at_input(self, index: int) -> bool:
        return any(made.form.rest == "codes" for made in self.planned[index].neurons)

    def widths(self, index: int) -> list[int]:
        """Return how many bytes each accumulator of a stage has."""
        return [made.form.width for made in self.planned[index].neurons]


def _numbered(taken: list[Registers] | None, start: int) -> Group:
    return [] if taken is None else list(enumerate(taken, start))


def registers_of(groups: Sequence[Group]) -> set[str]:
    """Return all registers that the groups' accumulators have."""
    return {register for group in groups for _, registers in group for register in registers}
