"""The model as unrolled code computes it: constants folded away, codes as unsigned bytes.

Codes become bytes: ``byte = code - base`` with the lowest code that occurs as base, so that an inactive ReLU neuron
is 0 and costs nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from sinehil.model.arithmetic import multipliers
from sinehil.model.arrays import Int64s
from sinehil.model.tflite import FullyConnected
from sinehil_kernels.avr.assembly import Assembly
from sinehil_kernels.folding import computed_neurons, folded_biases
from sinehil_kernels.speed.registers import ZERO, Z
from sinehil_kernels.value_ranges import AccumulatorDomain, LayerRanges, LayerTrace


@dataclass(frozen=True)
class ByteTable:
    """``entries``: code less ``base``, for the raw codes from ``lowest`` on; ``label``: its place in the program."""

    label: str
    lowest: int
    base: int
    entries: bytes

    def emit(self, assembly: Assembly, byte: str, base: int) -> None:
        """Replace the byte (code - base) by its entry; clobbers Z."""
        if base != self.lowest:
            assembly.op("subi", byte, self.lowest - base & 0xFF)
        assembly.op("ldi", Z[0], f"lo8({self.label})")
        assembly.op("ldi", Z[1], f"hi8({self.label})")
        assembly.op("add", Z[0], byte)
        assembly.op("adc", Z[1], ZERO)
        assembly.op("lpm", byte, "Z")

    def place(self, assembly: Assembly) -> None:
        """Write the table behind the code."""
        assembly.label(self.label)
        assembly.data(self.entries)


LOWEST_CODE = -128


@dataclass(frozen=True)
class FoldedNeuron:
    """One neuron that is computed.

    ``weights`` are those of the stage's sources; ``bias`` is its accumulator when every source byte is 0.
    ``accumulators`` [n] are those of its domain, ``wanted`` [n] their bytes: code - ``base``, at most ``top``.
    ``slope``: about how many codes one unit of the accumulator is worth. ``trace`` [n]: the accumulator on each
    input code of the region, if there is one input.
    """

    number: int
    weights: tuple[int, ...]
    bias: int
    accumulators: Int64s
    wanted: Int64s
    base: int
    top: int
    slope: float
    trace: Int64s | None

    @property
    def can_be_inactive(self) -> bool:
        """Whether the byte can be 0 over a range of accumulators, as a ReLU neuron's is."""
        return int((self.wanted == 0).sum()) > 1

    @property
    def span(self) -> tuple[int, int]:
        """The lowest and the highest accumulator."""
        return int(self.accumulators[0]), int(self.accumulators[-1])


@dataclass(frozen=True)
class FoldedStage:
    """One layer: its neurons that are computed, and how many inputs or neurons before it they read."""

    number: int
    layer: FullyConnected
    neurons: tuple[FoldedNeuron, ...]
    constants: tuple[tuple[int, int], ...]  # neurons that always give one code: (number, code)
    lookup: ByteTable | None


def lookups(layers: Sequence[LayerRanges]) -> tuple[ByteTable | None, ...]:
    """Return the tables behind the layers, each for the raw codes that its computed neurons have."""
    found: list[ByteTable | None] = []
    for number, (layer, computed) in enumerate(
        zip(layers, computed_neurons(layers, keep_outputs=False), strict=True), 1
    ):
        if layer.table is None or not computed:
            found.append(None)
            continue
        lowest = min(int(layer.neurons[j].codes.min()) for j in computed)
        highest = max(int(layer.neurons[j].codes.max()) for j in computed)
        codes = layer.table[lowest + 128 : highest + 129]
        base = int(codes.min())
        found.append(ByteTable(f"table_{number}", lowest, base, bytes((codes - base).tolist())))
    return tuple(found)


def input_lookup(layers: Sequence[LayerRanges]) -> ByteTable | None:
    """Return the table before the first layer, if there is one."""
    table = layers[0].input_table
    if table is None:
        return None
    base = int(table.min())
    return ByteTable("table_0", LOWEST_CODE, base, bytes((table - base).tolist()))


def stages(layers: Sequence[LayerRanges], tables: Sequence[ByteTable | None]) -> tuple[FoldedStage, ...]:
    """Return the layers with what is computed in each; the sources of the first are all inputs."""
    computed = computed_neurons(layers, keep_outputs=False)
    sources = list(range(layers[0].layer.weights.shape[1]))
    at_zero = layers[0].inputs[:, 0]
    found = []
    for number, (layer, lookup) in enumerate(zip(layers, tables, strict=True)):
        biases = folded_biases(layer.layer, at_zero).tolist()
        neurons = tuple(_neuron(layer, j, sources, biases[j]) for j in computed[number])
        ends = layer.outputs.tolist()
        fixed = tuple((j, low) for j, (low, high) in enumerate(ends) if low == high)
        found.append(FoldedStage(number + 1, layer.layer, neurons, fixed, lookup))
        sources, at_zero = computed[number], layer.outputs[:, 0].copy()
        if lookup is not None:
            at_zero[computed[number]] = lookup.base
    return tuple(found)


def restricted(
    layers: Sequence[LayerRanges], first: int, end: int, *, neurons: bool = True
) -> tuple[LayerRanges, ...]:
    """Return what a one-input model does on the codes u = first to end - 1 only; ``neurons``: list their points."""
    found, inputs = [], np.array([[first, end - 1]]) + LOWEST_CODE
    for layer in layers:
        assert layer.trace is not None
        trace = LayerTrace(
            *(part[first:end] for part in (layer.trace.accumulators, layer.trace.raw, layer.trace.codes))
        )
        ends = np.stack([trace.codes.min(axis=0), trace.codes.max(axis=0)], axis=1)
        listed = tuple(map(_listed, trace.accumulators.T, trace.raw.T)) if neurons else ()
        found.append(replace(layer, inputs=inputs, outputs=ends, neurons=listed, trace=trace))
        inputs = ends
    return tuple(found)


def _listed(accumulators: Int64s, codes: Int64s) -> AccumulatorDomain:
    values, first = np.unique(accumulators, return_index=True)
    return AccumulatorDomain(values, codes[first], listed=True)


def _neuron(found_layer: LayerRanges, j: int, sources: Sequence[int], bias: int) -> FoldedNeuron:
    layer, found = found_layer.layer, found_layer.neurons[j]
    weights = layer.weights[j].astype(np.int64)
    base = int(found.codes.min())
    trace = found_layer.trace
    return FoldedNeuron(
        number=j,
        weights=tuple(weights[list(sources)].tolist()),
        bias=bias,
        accumulators=found.accumulators,
        wanted=found.codes - base,
        base=base,
        top=_top(found_layer, found) - base,
        slope=float(multipliers(layer)[j]),
        trace=None if trace is None else trace.accumulators[:, j],
    )


def _top(layer: LayerRanges, found: AccumulatorDomain) -> int:
    """Return the code at which the neuron is clamped, or the highest that occurs."""
    return min(layer.highest, int(found.codes.max()))
