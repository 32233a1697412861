"""The model as the loop computes it: constants folded away, codes as signed bytes from each floor.

An activation is stored as one signed byte, s = code - floor - 128, so that its clamps are the natural ends of a
byte; the input is stored as it comes (floor -128). A neuron's accumulator is weights @ s + bias, with everything that
is the same for all inputs in its bias: zero points, floors, and the inputs that come from constant neurons.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from sinehil.model.arithmetic import multipliers
from sinehil.model.arrays import Int64s
from sinehil_kernels.folding import computed_neurons, folded_biases
from sinehil_kernels.value_ranges import ALL_CODES, LayerRanges

INPUT_FLOOR = -128
OTHER_WEIGHTS = range(127, 40, -3)  # large ones: they leave room between the steps
HAND_ON = 64  # the weight with which an input is handed on to a table
CONSTANT_SLOPES = tuple(2.0**-power for power in (7, 6, 5, 4, 3, 2, 1, 8, 9))


@dataclass(frozen=True)
class LoopNeuron:
    """``wanted`` [n]: code - floor, 0 to 255, of each accumulator in ``points`` [n], ascending.

    ``slope``: codes per accumulator, about. ``top``: code - floor of the layer's highest code.
    ``listed``: the points are all that occur; otherwise both sides of each step, and the ends.
    """

    number: int
    weights: Int64s
    bias: int
    points: Int64s
    wanted: Int64s
    slope: float
    floor: int
    top: int
    listed: bool

    @property
    def saturates(self) -> bool:
        """Whether an accumulator may lie beyond the highest code."""
        return bool(self.wanted[-1] == self.top)


@dataclass(frozen=True)
class ComputedLayer:
    """One layer's computed neurons; ``inputs``: computed neurons of the layer before, by their numbers there.

    ``table`` [256]: the code handed on for each stored byte s, that of -128 first.
    """

    name: str
    inputs: tuple[int, ...]
    neurons: tuple[LoopNeuron, ...]
    table: tuple[int, ...] | None = None


def computed_network(layers: Sequence[LayerRanges]) -> tuple[ComputedLayer, ...]:
    """Return the layers without constant neurons and those with no consumer."""
    computed = computed_neurons(layers, keep_outputs=True)
    before = _LayerInputs.of_model(layers[0])
    network = [] if layers[0].input_table is None else [_table_of_inputs(layers[0])]
    for number, layer in enumerate(layers):
        neurons = _neurons(layer, computed[number], before, is_last=number == len(layers) - 1)
        floors = [INPUT_FLOOR if layer.table is not None else neuron.floor for neuron in neurons]
        table = None if layer.table is None else _by_stored_byte(layer.table, neurons[0].floor)
        network.append(ComputedLayer(layer.layer.name, tuple(before.computed), neurons, table))
        before = _LayerInputs(computed[number], floors, layer.outputs[:, 0])
    return tuple(network)


def alternatives(neuron: LoopNeuron) -> Iterator[LoopNeuron]:
    """Yield the neuron and others that do the same.

    What one input feeds is a line in it, and any weight of that sign gives it; what never changes has no slope.
    """
    if neuron.wanted[0] == neuron.wanted[-1]:
        same = replace(
            neuron, weights=0 * neuron.weights, bias=0, points=np.zeros(1, np.int64), wanted=neuron.wanted[:1]
        )
        yield from (replace(same, slope=slope) for slope in CONSTANT_SLOPES)
        return
    yield neuron
    if len(neuron.weights) == 1 and neuron.listed:
        weight = int(neuron.weights[0])
        stored = (neuron.points - neuron.bias) // weight
        for size in OTHER_WEIGHTS:
            other = size if weight > 0 else -size
            if other != weight:
                yield replace(
                    neuron,
                    weights=np.array([other]),
                    bias=0,
                    points=stored * other,
                    slope=neuron.slope * weight / other,
                )


@dataclass(frozen=True)
class _LayerInputs:
    """What a layer reads: computed neurons, each one's floor, and every neuron's lowest code."""

    computed: list[int]
    floors: list[int]
    codes: Int64s

    @staticmethod
    def of_model(first: LayerRanges) -> "_LayerInputs":
        inputs = list(range(len(first.inputs)))
        return _LayerInputs(inputs, [INPUT_FLOOR] * len(inputs), first.inputs[:, 0])


def _table_of_inputs(first: LayerRanges) -> ComputedLayer:
    """Return a layer that hands every input on through a table: a neuron for each, of that input alone."""
    inputs = len(first.inputs)
    neurons = tuple(
        LoopNeuron(
            number=number,
            weights=HAND_ON * np.eye(inputs, dtype=np.int64)[number],
            bias=0,
            points=HAND_ON * ALL_CODES,
            wanted=ALL_CODES - INPUT_FLOOR,
            slope=1 / HAND_ON,
            floor=INPUT_FLOOR,
            top=255,
            listed=True,
        )
        for number in range(inputs)
    )
    assert first.input_table is not None
    table = _by_stored_byte(first.input_table, INPUT_FLOOR)
    return ComputedLayer("table of the inputs", tuple(range(inputs)), neurons, table)


def _by_stored_byte(table: Int64s, floor: int) -> tuple[int, ...]:
    raw = np.clip(ALL_CODES + 128 + floor, -128, 127)
    entries: list[int] = table[raw + 128].tolist()
    return tuple(entries)


def _neurons(
    layer: LayerRanges, computed: list[int], before: _LayerInputs, is_last: bool
) -> tuple[LoopNeuron, ...]:
    weights = layer.layer.weights.astype(np.int64)
    sources = before.codes.copy()
    sources[before.computed] = np.array(before.floors) + 128
    biases = folded_biases(layer.layer, sources).tolist()
    shared = _shared_floor(layer) if is_last or layer.table is not None else None
    slopes = multipliers(layer.layer).tolist()
    neurons = []
    for j in computed:
        reached = layer.neurons[j]
        floor = _floor(layer, reached.codes) if shared is None else shared
        neurons.append(
            LoopNeuron(
                number=j,
                weights=weights[j, before.computed],
                bias=biases[j],
                points=reached.accumulators,
                wanted=reached.codes - floor,
                slope=slopes[j],
                floor=floor,
                top=layer.highest - floor,
                listed=reached.listed,
            )
        )
    return tuple(neurons)


def _floor(layer: LayerRanges, codes: Int64s) -> int:
    """Return what is stored as lowest byte: where the codes begin, or where the highest one is the highest byte."""
    saturates = codes[-1] == layer.highest
    return layer.highest - 255 if saturates and codes[0] > layer.lowest else int(codes[0])


def _shared_floor(layer: LayerRanges) -> int:
    """Return one floor for all: the last layer's is taken off again at the end, which -128 need not be."""
    clamped = any(neuron.codes[0] == layer.lowest for neuron in layer.neurons)
    return layer.lowest if clamped else INPUT_FLOOR
