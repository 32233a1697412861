"""The loop as a plan: form and constants, and the byte stream that it reads."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, singledispatch

import numpy as np

from sinehil_kernels.c_parts import harmless
from sinehil_kernels.size.loop_forms import BYTE, Form, LongForm, NeuronConstants, ShortForm, StepsForm

LAST_LAYER = 0x7F  # added to the last layer's neuron count: DEC overflows when it comes down to this
SIGNED_16_BITS = range(-(1 << 15), 1 << 15)
CodeTable = tuple[int, ...]


@dataclass(frozen=True)
class LoopLayer:
    """``neurons``: their constants; ``inputs``: their numbers in the layer before; ``table``: code after each code."""

    name: str
    inputs: tuple[int, ...]
    neurons: tuple[NeuronConstants, ...]
    table: CodeTable | None = None


@dataclass(frozen=True)
class Loop:
    """A whole kernel, and what of it takes bytes to spare cycles.

    ``unroll``: products between two tests for the end of the inputs. ``flat_shifts``: shifts without a loop.
    ``inlined``: multiplication by the multiplier's bytes without a subroutine.
    """

    form: Form
    layers: tuple[LoopLayer, ...]
    outputs: int
    unroll: int = 1
    flat_shifts: bool = False
    inlined: bool = False

    @property
    def enters_late(self) -> bool:
        """Whether the one input of the first layer is multiplied by the last of the unrolled products.

        An odd number of inputs marks it, which no other layer has then.
        """
        return (
            self.unroll > 1
            and len(self.layers) > 1
            and len(self.layers[0].inputs) == 1
            and not self.has_tables
        )

    @cached_property
    def constants(self) -> tuple[NeuronConstants, ...]:
        """All neurons of all layers."""
        return tuple(neuron for layer in self.layers for neuron in layer.neurons)

    @cached_property
    def _distinct(self) -> tuple[NeuronConstants, ...]:
        """The neurons, each object once: an estimate has the same constants for all neurons of a layer."""
        return tuple({id(each): each for each in self.constants}.values())

    @property
    def accumulator_bytes(self) -> int:
        """Bytes of a sum."""
        return 3 if isinstance(self.form, LongForm) else self.form.accumulator_bytes

    @cached_property
    def bias_bytes(self) -> int:
        """Bytes of a bias in the stream: two if the third can be had from the sign."""
        short = all(neuron.bias in SIGNED_16_BITS for neuron in self._distinct)
        return 2 if short else self.accumulator_bytes

    @cached_property
    def needs_floor(self) -> bool:
        """Whether a v below zero occurs."""
        return not isinstance(self.form, StepsForm) and any(
            self.form.sums(neuron).min() < 0 for neuron in self._distinct
        )

    @cached_property
    def needs_ceiling(self) -> bool:
        """Whether a line goes beyond a byte."""
        form = self.form
        if isinstance(form, StepsForm):
            return False
        return any(int(form.beyond(neuron).max()) > BYTE for neuron in self._distinct)

    @cached_property
    def needs_far(self) -> bool:
        """Whether a v has a third byte, which is then taken for the highest code without a product."""
        form = self.form
        return isinstance(form, ShortForm) and any(form.reaches_far(neuron) for neuron in self._distinct)

    @cached_property
    def needs_top(self) -> bool:
        """Whether something saturates below the highest byte."""
        return not isinstance(self.form, StepsForm) and any(
            neuron.neuron.saturates
            and neuron.neuron.top < BYTE
            and int(self.form.bytes_of(neuron).max()) > neuron.neuron.top
            for neuron in self._distinct
        )

    @property
    def has_tables(self) -> bool:
        """Whether a layer's codes go through a table."""
        return any(layer.table is not None for layer in self.layers)

    @property
    def pushed(self) -> int:
        """Bytes of activations that lie on the stack at the end."""
        return len(self.constants)


def padded(loop: Loop, number: int, weights: np.ndarray[tuple[int], np.dtype[np.int64]]) -> list[int]:
    """Return the weights in layer ``number``, filled up with zeros to a multiple of what is unrolled."""
    if number == 0 and loop.enters_late:
        return [int(weight) for weight in weights]
    return [*weights.tolist(), *[0] * (-len(weights) % loop.unroll)]


Row = tuple[str, bytes]
THROUGH_A_TABLE = 0x80
NEVER = 0xFFFFFF
TABLE_BYTES, DISTANCE_BYTES = 256, 2


def stream_rows(loop: Loop) -> list[Row]:
    """Return the rows: layer by layer, neuron by neuron; then the tables."""
    rows: list[Row] = []
    tables: list[tuple[int, int]] = []  # row that points to a table, layer of the table
    for number, layer in enumerate(loop.layers):
        rows.append(_layer_row(loop, number))
        for neuron in layer.neurons:
            rows.append((_about(loop, number, neuron), _neuron_bytes(loop, number, neuron)))
            if layer.table is not None:
                tables.append((len(rows) - 1, number))
    return _with_tables(loop, rows, tables)


def uniform_stream_bytes(loop: Loop) -> int:
    """Return the length of the stream if each neuron of a layer takes as many bytes as the layer's first."""
    total = TABLE_BYTES * len({layer.table for layer in loop.layers if layer.table is not None})
    for number, layer in enumerate(loop.layers):
        neuron = len(_neuron_bytes(loop, number, layer.neurons[0])) + DISTANCE_BYTES * (
            layer.table is not None
        )
        total += len(_layer_row(loop, number)[1]) + neuron * len(layer.neurons)
    return total


def form_places(loop: Loop) -> Iterator[int]:
    """Yield for each neuron at which byte of the stream its form's constants begin, behind bias and weights."""
    rows = iter(stream_rows(loop))
    at = 0
    for number, layer in enumerate(loop.layers):
        at += len(next(rows)[1])
        for neuron in layer.neurons:
            yield at + len(_sum_bytes(loop, number, neuron))
            at += len(next(rows)[1])


def _with_tables(loop: Loop, rows: list[Row], users: list[tuple[int, int]]) -> list[Row]:
    """Add the tables, each once, and to each row that uses one how far it is from the row's end."""
    if not users:
        return rows
    lengths = [len(values) for _, values in rows]
    for row, _ in users:
        lengths[row] += DISTANCE_BYTES
    starts: dict[tuple[int, ...], int] = {}
    end = sum(lengths)
    appended: list[Row] = []
    for row, number in users:
        table = loop.layers[number].table
        assert table is not None
        if table not in starts:
            starts[table] = end + sum(len(values) for _, values in appended)
            appended.append((f"table after layer {number + 1}, by the stored byte", _table_bytes(table)))
        distance = starts[table] - sum(lengths[: row + 1])
        comment, values = rows[row]
        rows[row] = comment, values + distance.to_bytes(DISTANCE_BYTES, "little")
    return rows + appended


def _table_bytes(table: tuple[int, ...]) -> bytes:
    """Return the codes by stored byte as unsigned number: 0 to 127, then -128 to -1."""
    return bytes(code & 0xFF for code in (*table[128:], *table[:128]))


def _layer_row(loop: Loop, number: int) -> Row:
    layer = loop.layers[number]
    is_last = number == len(loop.layers) - 1 and number > 0
    inputs = len(padded(loop, number, layer.neurons[0].neuron.weights))
    count = len(layer.neurons) + LAST_LAYER * is_last
    flag = THROUGH_A_TABLE if layer.table is not None else 0
    living = "" if number == 0 else f" (living: {', '.join(map(str, layer.inputs))})"
    about = (
        f"layer {number + 1}, {harmless(layer.name)}: {inputs} inputs{living}, {len(layer.neurons)} neurons"
    )
    return about, bytes([inputs | flag, count])


def _neuron_bytes(loop: Loop, number: int, constants: NeuronConstants) -> bytes:
    values = _sum_bytes(loop, number, constants) + _form_bytes(loop.form, constants)
    if loop.needs_top:
        values += bytes([constants.neuron.top if constants.neuron.saturates else 255])
    return values


def _sum_bytes(loop: Loop, number: int, constants: NeuronConstants) -> bytes:
    bias = constants.bias & (1 << 8 * loop.bias_bytes) - 1
    weights = padded(
        loop, number, constants.neuron.weights if number == 0 else constants.neuron.weights[::-1]
    )
    return bias.to_bytes(loop.bias_bytes, "little") + bytes(weight & 0xFF for weight in weights)


@singledispatch
def _form_bytes(form: object, constants: NeuronConstants) -> bytes:
    raise TypeError(f"no stream for {form} and {constants}")


@_form_bytes.register
def _(form: ShortForm, constants: NeuronConstants) -> bytes:
    values = constants.multiplier.to_bytes(max(2, form.multiplier_bytes), "little")
    if form.multiplier_bytes == 1:
        return values[1:]
    addend = bytes([constants.addend // form.addend_unit]) if form.addend else b""
    return addend + values + _corrections(constants, form.accumulator_bytes) * form.corrections


@_form_bytes.register
def _(form: LongForm, constants: NeuronConstants) -> bytes:
    addends = (constants.below, constants.addend) if form.split else (constants.addend,)
    values = constants.zero.to_bytes(3, "little") if form.split else b""
    for addend in addends:
        values += addend.to_bytes(form.multiplier_bytes, "little")[
            form.multiplier_bytes - form.addend_bytes :
        ]
    values += constants.multiplier.to_bytes(form.multiplier_bytes, "little")
    return values + _corrections(constants, 3) * form.corrections


def _corrections(constants: NeuronConstants, width: int) -> bytes:
    values = b"".join(
        place.to_bytes(width, "little") + bytes([added & 0xFF]) for place, added in constants.corrections
    )
    return bytes([len(constants.corrections)]) + values


@_form_bytes.register
def _(form: StepsForm, constants: NeuronConstants) -> bytes:
    width = form.accumulator_bytes
    steps = constants.steps or (NEVER & (1 << 8 * width) - 1,)
    return bytes([len(steps)]) + b"".join(step.to_bytes(width, "little") for step in steps)


def _about(loop: Loop, number: int, constants: NeuronConstants) -> str:
    """Return what is proven of a neuron, and the constants that do it."""
    neuron = constants.neuron
    kind = "all that occur" if neuron.listed else "both sides of every step"
    low, high = neuron.points[[0, -1]].tolist()
    scale = "twice the accumulator" if loop.form.doubled else "accumulator"
    proof = f"{scale} {low} to {high}, {len(neuron.points)} points ({kind})"
    return f"layer {number + 1}, neuron {neuron.number}: {proof}; {'; '.join(_constants(loop, constants))}"


def _constants(loop: Loop, constants: NeuronConstants) -> Iterator[str]:
    form = loop.form
    yield f"offset {constants.offset}, bias {constants.bias}"
    if isinstance(form, StepsForm):
        yield f"{len(constants.steps)} steps"
    else:
        yield f"* {constants.multiplier} >> {form.exponent}"
    if constants.addend:
        yield f"addend {constants.addend}"
    if isinstance(form, LongForm) and form.split:
        yield f"below 0 addend {constants.below}"
    if constants.corrections:
        yield f"{len(constants.corrections)} corrections"
    if constants.neuron.floor != -128:
        yield f"floor {constants.neuron.floor}"
