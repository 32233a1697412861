"""The whole function: stages in their order, accumulators in registers, bytes handed on as soon as they are there."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

from sinehil_pipeline.codegen.avr.assembly import Assembly
from sinehil_pipeline.codegen.speed.form24 import Form24
from sinehil_pipeline.codegen.speed.form32 import Form32
from sinehil_pipeline.codegen.speed.frame import Frame
from sinehil_pipeline.codegen.speed.grouping import grouped
from sinehil_pipeline.codegen.speed.lookup import Lookup
from sinehil_pipeline.codegen.speed.plan import PlannedNeuron, PlannedStage
from sinehil_pipeline.codegen.speed.products import multiply_add
from sinehil_pipeline.codegen.speed.registers import (
    BYTE,
    INPUT,
    THIRD,
    ZERO,
    Pool,
    Registers,
    X,
    load,
)
from sinehil_pipeline.codegen.speed.requantized import byte_register, emit_byte, emit_rest
from sinehil_pipeline.codegen.speed.sources import FromInput, FromMemory, Pass, Source
from sinehil_pipeline.codegen.speed.words import neuron_words, stage_words, weight_words

FEW = 6  # registers of accumulators that are kept through all passes of the stage before


@dataclass
class Body:
    """All layers for one region, with frame and return; X is x_q, or u is in INPUT."""

    planned: tuple[PlannedStage, ...]
    inputs: Lookup | None
    assembly: Assembly
    frame: Frame = field(init=False)
    _source: Source | None = None

    def __post_init__(self) -> None:
        self.frame = Frame(self.assembly, self._has_tables)

    @property
    def _has_tables(self) -> bool:
        return any((self.inputs, *(planned.stage.lookup for planned in self.planned)))

    def emit(self) -> Assembly:
        """Write everything."""
        index, source = self._first_source()
        while index < len(self.planned):
            index = self._stage(index, source)
            if index < len(self.planned):
                source = self._pushed(index - 1)
        self._constant_outputs()
        return self.frame.framed()

    def _first_source(self) -> tuple[int, Source]:
        self.assembly.op("clr", ZERO)
        first = self.planned[0]
        if first.first is None:
            inputs = first.stage.layer.weights.shape[1]
            return 0, FromMemory(tuple(range(inputs)), (False,) * inputs, True, self.inputs)
        self._title(0)
        return 1, FromInput(first)

    @property
    def _mirrored(self) -> bool:
        return isinstance(self._source, FromInput) and self._source.mirrored

    def _pushed(self, index: int) -> Source:
        """Return the source that reads what a stage has pushed, last first."""
        neurons = [made.neuron for made in self.planned[index].neurons]
        rests = tuple(neuron.can_rest and self.planned[index].stage.lookup is None for neuron in neurons)
        self.frame.point(X)
        return FromMemory(tuple(reversed(range(len(neurons)))), rests, False, None)

    def _title(self, index: int) -> None:
        for line in stage_words(self.planned[index]):
            self.assembly.comment(line)

    # -- a stage ----------------------------------------------------------------------------------------------

    def _stage(self, index: int, source: Source) -> int:
        """Write a stage, and those whose accumulators fit beside it; return which comes next."""
        self._title(index)
        self._source = source
        neurons = self.planned[index].neurons
        layout = self._layout(index, set(source.taken))
        if index == len(self.planned) - 1 and neurons:
            self.frame.find_outputs()
        for number, group in enumerate(layout.groups):
            self._load(index, group)
            at = Pass(number, len(layout.groups), keeps=bool(layout.carried))
            source.emit(self.assembly, self._multiply(index, group), at)
            if number == 0 and layout.carried:
                self._load(index + 1, layout.carried)
            for which, registers in group:
                self._finish(index, which, registers, layout.carried)
        if not layout.carried:
            return index + 1
        return self._carried(index + 1, layout.carried)

    def _carried(self, index: int, group: "Group") -> int:
        """Finish a stage that the one before it has accumulated; likewise what follows, as long as there is room."""
        self._title(index)
        if index == len(self.planned) - 1:
            self.frame.find_outputs()
        ahead = self._next_registers(index, _registers([group]))
        if ahead:
            self._load(index + 1, ahead)
        for which, registers in group:
            self._finish(index, which, registers, ahead)
        return self._carried(index + 1, ahead) if ahead else index + 1

    def _reserved(self, index: int) -> set[str]:
        """Return the registers that the accumulators of a stage leave alone."""
        near = self.planned[max(0, index - 1) : index + 2]
        forms = [made.form.form for stage in near for made in stage.neurons]
        reserved = {THIRD for form in forms if isinstance(form, Form24 | Form32)}
        reserved |= {INPUT for form in forms if isinstance(form, Form32)}
        return reserved | (
            set(self.frame.reserved) if index == len(self.planned) - 1 or self._has_tables else set()
        )

    def _layout(self, index: int, taken: set[str]) -> "Layout":
        """Return the fewest passes in which the accumulators fit, with room for the next stage's where they are few."""
        widths = self._widths(index)
        after = self._widths(index + 1) if index + 1 < len(self.planned) else []
        pool = Pool.of(taken | self._reserved(index), (THIRD, INPUT))
        for passes in range(1, len(widths) + 1):
            bounds = [len(widths) * number // passes for number in range(passes + 1)]
            groups = [_numbered(pool.take(widths[a:b]), a) for a, b in itertools.pairwise(bounds)]
            if not all(groups):
                continue
            if not after:
                return Layout(groups, [])
            held = taken if passes > 1 or self._looks_at_input(index) else set()
            carried = self._next_registers(index, _registers(groups) | held)
            if carried:
                return self._regrouped(index, pool, taken, Layout(groups, carried))
            if sum(after) > FEW:
                return Layout(groups, [])
        return Layout([], [])

    def _regrouped(self, index: int, pool: Pool, taken: set[str], layout: "Layout") -> "Layout":
        """Return the layout with the neurons in passes, and in registers, where they take fewer cycles if there are."""
        planned, before = self.planned[index].neurons, self.planned[index - 1].first if index else None
        weights = [made.neuron.weights for made in planned]
        often = [int(first.active.sum()) for first in before] if before else [1] * len(weights[0])
        groups: list[Group] = []
        for numbers in grouped(weights, often, [len(group) for group in layout.groups]):
            order = sorted(numbers, key=lambda which: planned[which].form.rest != "compare")
            registers = pool.take([planned[which].form.width for which in order])
            groups.append(list(zip(order, registers or [], strict=False)))
        held = _registers(groups) | (taken if len(groups) > 1 or self._looks_at_input(index) else set())
        carried = self._next_registers(index, held) if all(groups) else []
        return Layout(groups, carried) if carried else layout

    def _next_registers(self, index: int, held: set[str]) -> "Group":
        """Return registers for the next stage's accumulators that nothing else holds; empty if there are too few."""
        if index + 1 >= len(self.planned):
            return []
        pool = Pool.of(held | self._reserved(index + 1), (THIRD, INPUT))
        return _numbered(pool.take(self._widths(index + 1)), 0)

    def _looks_at_input(self, index: int) -> bool:
        return any(made.form.rest == "codes" for made in self.planned[index].neurons)

    def _widths(self, index: int) -> list[int]:
        """Return how many bytes each accumulator of a stage has."""
        return [made.form.width for made in self.planned[index].neurons]

    # -- its parts --------------------------------------------------------------------------------------------

    def _load(self, index: int, group: "Group") -> None:
        for which, registers in group:
            made = self.planned[index].neurons[which]
            value = made.neuron.bias - made.form.offset
            load(self.assembly, registers, value, f"layer {index + 1} neuron {made.neuron.number}: bias")

    def _multiply(self, index: int, group: "Group") -> "Multiply":
        return Multiply(
            self.assembly, [(self.planned[index].neurons[which], registers) for which, registers in group]
        )

    def _finish(self, index: int, which: int, registers: Registers, ahead: "Group") -> None:
        """Requantise a neuron and hand its byte on."""
        made, lookup = self.planned[index].neurons[which], self.planned[index].stage.lookup
        for line in neuron_words(self.planned[index], made):
            self.assembly.comment(line)
        done = self.assembly.new_label("done")
        if ahead and lookup is None:
            emit_rest(self.assembly, made.form, registers, done, self._mirrored)
            byte = emit_byte(self.assembly, made.form, registers, made.neuron.top)
            self._multiply(index + 1, ahead)(byte, which)
            self.assembly.label(done)
            return
        byte = self._byte_even_at_rest(made, registers, done)
        if lookup is not None:
            lookup.emit(self.assembly, byte, made.neuron.base)
        if ahead:
            self._multiply(index + 1, ahead)(byte, which)
        elif index == len(self.planned) - 1:
            self.frame.output(byte, made.neuron.number, lookup.base if lookup else made.neuron.base)
        else:
            self.frame.push(byte)

    def _byte_even_at_rest(self, made: PlannedNeuron, registers: Registers, done: str) -> str:
        if made.form.rest:
            self.assembly.op("mov", byte_register(made.form), ZERO)
            emit_rest(self.assembly, made.form, registers, done, self._mirrored)
        byte = emit_byte(self.assembly, made.form, registers, made.neuron.top)
        self.assembly.label(done)
        return byte

    def _constant_outputs(self) -> None:
        stage = self.planned[-1].stage
        if not self.planned[-1].neurons:
            self.frame.find_outputs()
        for number, code in stage.constants:
            self.assembly.op("ldi", BYTE, code & 0xFF)
            self.frame.output(BYTE, number, 0)


Group = list[tuple[int, Registers]]


@dataclass(frozen=True)
class Layout:
    """The passes of a stage, each with its neurons' registers, and those of the next stage if it is carried along."""

    groups: list[Group]
    carried: Group


@dataclass(frozen=True)
class Multiply:
    """Consumes a byte: its products go to the accumulators of neurons."""

    assembly: Assembly
    neurons: Sequence[tuple[PlannedNeuron, Registers]]

    def __call__(self, byte: str, source: int) -> None:
        """Write the products of one source."""
        terms = [
            (made.neuron.weights[source], registers, weight_words(made, source))
            for made, registers in self.neurons
        ]
        multiply_add(self.assembly, byte, terms)


def _numbered(taken: list[Registers] | None, start: int) -> Group:
    return [] if taken is None else list(enumerate(taken, start))


def _registers(groups: Sequence[Group]) -> set[str]:
    return {register for group in groups for _, registers in group for register in registers}
