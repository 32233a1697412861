"""Assemble the whole function: regions, stages in order, outputs."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from sinehil_kernels.avr.assembly import REACH_WORDS, Assembly, Instruction, Program
from sinehil_kernels.avr.neuron_points import PlacedNeuron
from sinehil_kernels.speed.folded_network import ByteTable
from sinehil_kernels.speed.products import multiply_add
from sinehil_kernels.speed.register_layout import (
    Group,
    OneByOne,
    RegisterAllocator,
    ResidentInputs,
    registers_of,
)
from sinehil_kernels.speed.registers import ARGUMENT, BYTE, INPUT, ZERO, Registers, StackFrame, X, Z, load
from sinehil_kernels.speed.requantization_assembly import byte_register, emit_byte, emit_inactive_test
from sinehil_kernels.speed.stage_inputs import ByteSource, FromInput, FromMemory, InputDispatch, SourcePass
from sinehil_kernels.speed.stage_plan import (
    PlannedNeuron,
    PlannedStage,
    RegionPlan,
    bias_comment,
    neuron_comment,
    stage_comment,
    weight_comment,
)

# How the first stage of a model with several inputs gets them: each byte from memory for all neurons, or from
# registers for one neuron after the other; y_q is then on the stack, or in Z.
Way = Literal["from memory", "singly", "singly, y_q in Z"]
WAYS: tuple[Way, ...] = get_args(Way)
WORDS_A_PRODUCT = 6  # at most


@dataclass
class RegionCode:
    """All layers for one region, with frame and return; x_q is in its argument's registers, or x + 128 in INPUT."""

    planned: tuple[PlannedStage, ...]
    inputs: ByteTable | None
    assembly: Assembly
    way: Way = "from memory"
    emitted: list[PlacedNeuron] = field(default_factory=list)  # those on intervals
    frame: StackFrame = field(init=False)
    _registrar: RegisterAllocator = field(init=False)
    _source: ByteSource | None = None

    def __post_init__(self) -> None:
        y_in_z = self.way == "singly, y_q in Z"
        self.frame = StackFrame(self.assembly, self._has_tables, y_in_z)
        self._registrar = RegisterAllocator(self.planned, self.frame.reserved, self._has_tables or y_in_z)

    @property
    def is_possible(self) -> bool:
        """Whether there are registers enough, and no tables that need Z, to go this way."""
        return self.way == "from memory" or (
            self._singly is not None and not (self.frame.y_in_z and self._has_tables)
        )

    @property
    def _singly(self) -> OneByOne | None:
        first = self.planned[0]
        if not first.neurons:
            return None
        return self._registrar.singly(first.stage.layer.weights.shape[1], self._pointer)

    @property
    def _pointer(self) -> tuple[str, str]:
        """What finds x_q; Z is y_q only when all inputs have been fetched."""
        return Z if self.frame.y_in_z else X

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

    def _first_source(self) -> tuple[int, ByteSource]:
        first = self.planned[0]
        if first.first is not None:
            self.assembly.op("clr", ZERO)
            self._title(0)
            return 1, FromInput(first)
        self.assembly.op("movw", self._pointer[0], INPUT, note="x_q")  # of which ZERO is the upper half
        self.assembly.op("clr", ZERO)
        inputs = first.stage.layer.weights.shape[1]
        return 0, FromMemory(tuple(range(inputs)), (False,) * inputs, True, self.inputs)

    @property
    def _mirrored(self) -> bool:
        return isinstance(self._source, FromInput) and self._source.mirrored

    def _pushed(self, index: int) -> ByteSource:
        """Return the source that reads what a stage has pushed, last first."""
        neurons = [made.neuron for made in self.planned[index].neurons]
        inactive = tuple(
            neuron.can_be_inactive and self.planned[index].stage.lookup is None for neuron in neurons
        )
        self.frame.point(X)
        return FromMemory(tuple(reversed(range(len(neurons)))), inactive, False, None)

    def _title(self, index: int) -> None:
        for line in stage_comment(self.planned[index]):
            self.assembly.comment(line)

    # -- a stage ----------------------------------------------------------------------------------------------

    def _stage(self, index: int, source: ByteSource) -> int:
        """Write a stage, and those whose accumulators fit beside it; return which comes next."""
        self._title(index)
        self._source = source
        neurons = self.planned[index].neurons
        if index == 0 and self.way != "from memory":
            return self._one_by_one()
        layout = self._registrar.layout(index, set(source.taken))
        if index == len(self.planned) - 1 and neurons:
            self.frame.find_outputs()
        for number, group in enumerate(layout.groups):
            self.assembly.make_room(WORDS_A_PRODUCT * len(group) * (1 + len(neurons[0].neuron.weights)))
            self._load(index, group)
            at = SourcePass(number, len(layout.groups), keeps=bool(layout.carried))
            source.emit(self.assembly, self._multiply(index, group), at)
            if number == 0 and layout.carried:
                self._load(index + 1, layout.carried)
            for which, registers in group:
                self._finish(index, which, registers, layout.carried)
        if not layout.carried:
            return index + 1
        return self._carried(index + 1, layout.carried)

    def _one_by_one(self) -> int:
        """Write the first stage from inputs in registers, each neuron after the other; return which comes next."""
        registers, neurons = self._singly, self.planned[0].neurons
        assert registers is not None
        resident = ResidentInputs.of(neurons, registers.sources, has_table=self.inputs is not None)
        pointer, busy = ("Z", ARGUMENT) if self.frame.y_in_z else ("X", ())
        late = resident.load(self.assembly, pointer, self.inputs, busy)
        if self.frame.y_in_z:
            self.frame.keep_outputs()
        for register, held in late:
            self.assembly.op("mov", register, held)
        if len(self.planned) == 1:
            self.frame.find_outputs()
        ahead = self._registrar.ahead(0, {*registers.sources, *registers.accumulator})
        self._load(1, ahead)
        for which, made in enumerate(neurons):
            accumulator = registers.accumulator[: made.form.width]
            resident.accumulate(self.assembly, 1, made, accumulator)
            self._finish(0, which, accumulator, ahead)
        return self._carried(1, ahead) if ahead else 1

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
            load(self.assembly, registers, value, bias_comment(index + 1, made))

    def _multiply(self, index: int, group: Group) -> "MultiplyAdd":
        return MultiplyAdd(
            self.assembly, [(self.planned[index].neurons[which], registers) for which, registers in group]
        )

    def _finish(self, index: int, which: int, registers: Registers, ahead: Group) -> None:
        """Requantise a neuron and hand its byte on."""
        made, lookup = self.planned[index].neurons[which], self.planned[index].stage.lookup
        self.assembly.make_room(made.form.most_words + WORDS_A_PRODUCT * len(ahead))
        for line in neuron_comment(self.planned[index], made):
            self.assembly.comment(line)
        done, start = self.assembly.new_label("done"), self._label_if_interval("neuron", made)
        if ahead and lookup is None:
            emit_inactive_test(self.assembly, made.form, registers, done, self._mirrored)
            byte = emit_byte(self.assembly, made.form, registers, made.neuron.top)
            self._note_emitted(made, registers, byte, start, done)
            self._multiply(index + 1, ahead)(byte, which)
            self.assembly.label(done)
            return
        byte = self._byte_even_at_rest(made, registers, done)
        self._note_emitted(made, registers, byte, start, done)
        if lookup is not None:
            lookup.emit(self.assembly, byte, made.neuron.base)
        if ahead:
            self._multiply(index + 1, ahead)(byte, which)
        elif index == len(self.planned) - 1:
            self.frame.output(byte, made.neuron.number, lookup.base if lookup else made.neuron.base)
        else:
            self.frame.push(byte)

    def _byte_even_at_rest(self, made: PlannedNeuron, registers: Registers, done: str) -> str:
        if made.form.inactive_test:
            self.assembly.op("mov", byte_register(made.form), ZERO)
            emit_inactive_test(self.assembly, made.form, registers, done, self._mirrored)
        byte = emit_byte(self.assembly, made.form, registers, made.neuron.top)
        self.assembly.label(done)
        return byte

    def _label_if_interval(self, stem: str, made: PlannedNeuron) -> str:
        """Place a new label here, for ``try_points``; none if all codes of one input are tried anyway."""
        label = self.assembly.new_label(stem) if made.neuron.trace is None else ""
        if label:
            self.assembly.label(label)
        return label

    def _note_emitted(
        self, made: PlannedNeuron, registers: Registers, byte: str, start: str, inactive: str
    ) -> None:
        end = self._label_if_interval("byte", made)
        if end:
            placed = PlacedNeuron(
                number=made.neuron.number,
                sums=made.neuron.accumulators - made.form.offset,
                wanted=made.neuron.wanted,
                sum_in=registers,
                byte=byte,
                start=start,
                end=end,
                inactive=inactive,
                given={ZERO: 0},
            )
            self.emitted.append(placed)

    def _constant_outputs(self) -> None:
        stage = self.planned[-1].stage
        if not self.planned[-1].neurons:
            self.frame.find_outputs()
        for number, code in stage.constants:
            self.assembly.op("ldi", BYTE, code & 0xFF)
            self.frame.output(BYTE, number, 0)


@dataclass(frozen=True)
class MultiplyAdd:
    """Consumes a byte: its products go to the accumulators of neurons."""

    assembly: Assembly
    neurons: Sequence[tuple[PlannedNeuron, Registers]]

    def __call__(self, byte: str, source: int) -> None:
        """Write the products of one source."""
        terms = [
            (made.neuron.weights[source], registers, weight_comment(made, source))
            for made, registers in self.neurons
        ]
        multiply_add(self.assembly, byte, terms)


@dataclass(frozen=True)
class UnrolledProgram:
    """The function, and where in it the neurons on intervals are."""

    program: Program
    neurons: tuple[PlacedNeuron, ...]


def unrolled(plans: Sequence[RegionPlan], way: Way = "from memory") -> UnrolledProgram | None:
    """Return the assembled function of a model (one plan), or of a one-input model's regions in ascending order.

    None if regions are too far apart for their jumps, or there are too few registers for that ``way``.
    """
    whole, neurons = Assembly(), list[PlacedNeuron]()
    if plans[0].stages[0].first is not None:
        whole.op("movw", X[0], INPUT, note="X = x_q")
        whole.op("ld", INPUT, "X", note="u = x + 128")
        whole.op("subi", INPUT, 128)
    labels = tuple(whole.new_label("region") for _ in plans)
    sizes = tuple(plan.end - plan.first for plan in plans)
    InputDispatch(labels, tuple(plan.first for plan in plans[1:]), sizes).emit(whole)
    for plan, label in reversed(list(zip(plans, labels, strict=True))):
        if len(plans) > 1:
            whole.comment("")
            whole.comment(f"==== u = {plan.first} to {plan.end - 1} ====")
        whole.label(label)
        body = RegionCode(plan.stages, plan.inputs, Assembly(numbers=whole.numbers), way)
        if not body.is_possible:
            return None
        whole.items += body.emit().items
        neurons += body.emitted
    for lookup in (plans[0].inputs, *(planned.stage.lookup for planned in plans[0].stages)):
        if lookup is not None:
            lookup.place(whole)
    if len(plans) > 1 and sum(isinstance(item, Instruction) for item in whole.items) > REACH_WORDS:
        return None
    return UnrolledProgram(whole.assemble(), tuple(neurons))
