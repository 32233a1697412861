"""The whole function: stages in their order, accumulators in registers, bytes handed on as soon as they are there."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from sinehil_pipeline.codegen.avr.assembly import Assembly
from sinehil_pipeline.codegen.speed.frame import Frame
from sinehil_pipeline.codegen.speed.layout import Group, Registrar, Singly, registers_of
from sinehil_pipeline.codegen.speed.lookup import Lookup
from sinehil_pipeline.codegen.speed.plan import PlannedNeuron, PlannedStage
from sinehil_pipeline.codegen.speed.products import multiply_add
from sinehil_pipeline.codegen.speed.registers import (
    BYTE,
    ZERO,
    Registers,
    X,
    load,
)
from sinehil_pipeline.codegen.speed.requantized import byte_register, emit_byte, emit_rest
from sinehil_pipeline.codegen.speed.sources import FromInput, FromMemory, Pass, Source
from sinehil_pipeline.codegen.speed.words import neuron_words, stage_words, weight_words


@dataclass
class Body:
    """All layers for one region, with frame and return; X is x_q, or u is in INPUT.

    ``singly``: the inputs are kept in registers, if they are few, and the first neurons computed one by one.
    """

    planned: tuple[PlannedStage, ...]
    inputs: Lookup | None
    assembly: Assembly
    singly: bool = False
    frame: Frame = field(init=False)
    _registrar: Registrar = field(init=False)
    _source: Source | None = None

    def __post_init__(self) -> None:
        self.frame = Frame(self.assembly, self._has_tables)
        self._registrar = Registrar(self.planned, self.frame.reserved, self._has_tables)

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
        if self.singly and index == 0 and neurons and isinstance(source, FromMemory):
            kept = self._registrar.singly(index, len(source.numbers))
            if kept is not None:
                return self._one_by_one(index, source, kept)
        layout = self._registrar.layout(index, set(source.taken))
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

    def _one_by_one(self, index: int, source: FromMemory, kept: Singly) -> int:
        """Write a stage whose sources never rest, each neuron after the other; return which comes next."""

        def keep(byte: str, number: int) -> None:
            self.assembly.op("mov", kept.sources[number], byte)

        source.emit(self.assembly, keep, Pass(0, 1, keeps=False))
        if index == len(self.planned) - 1:
            self.frame.find_outputs()
        ahead = self._registrar.ahead(index, {*kept.sources, *kept.accumulator})
        self._load(index + 1, ahead)
        for which, made in enumerate(self.planned[index].neurons):
            registers = kept.accumulator[: made.form.width]
            self._load(index, [(which, registers)])
            for number, byte in enumerate(kept.sources):
                self._multiply(index, [(which, registers)])(byte, number)
            self._finish(index, which, registers, ahead)
        return self._carried(index + 1, ahead) if ahead else index + 1

    def _carried(self, index: int, group: Group) -> int:
        """Finish a stage that the one before it has accumulated; likewise what follows, as long as there is room."""
        self._title(index)
        if index == len(self.planned) - 1:
            self.frame.find_outputs()
        ahead = self._registrar.ahead(index, registers_of([group]))
        if ahead:
            self._load(index + 1, ahead)
        for which, registers in group:
            self._finish(index, which, registers, ahead)
        return self._carried(index + 1, ahead) if ahead else index + 1

    # -- its parts --------------------------------------------------------------------------------------------

    def _load(self, index: int, group: Group) -> None:
        for which, registers in group:
            made = self.planned[index].neurons[which]
            value = made.neuron.bias - made.form.offset
            load(self.assembly, registers, value, f"layer {index + 1} neuron {made.neuron.number}: bias")

    def _multiply(self, index: int, group: Group) -> "Multiply":
        return Multiply(
            self.assembly, [(self.planned[index].neurons[which], registers) for which, registers in group]
        )

    def _finish(self, index: int, which: int, registers: Registers, ahead: Group) -> None:
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
