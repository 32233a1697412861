"""Draw small random changes of one neuron's weights and bias, from integers of one legacy stream that NumPy froze."""

from dataclasses import dataclass

import numpy as np

from sinehil.model.arrays import Float32s, Int64s
from sinehil_pipeline.refinement.exact_network import MAX_BIAS, Change, Network

MAX_WEIGHT = 127  # the converter's weights are symmetric
STEPS = np.array([1, 1, 1, 2, 2, 3, 4, 6, 8], np.int64)
BIAS_REACH_CODES = 1.4  # a bias moves its neuron by up to this many codes
# How often a layer is chosen: the last is the cheapest to try, the first the dearest.
FIRST, MIDDLE, LAST = 2, 5, 3


@dataclass(frozen=True)
class Draw:
    """Random integers for ``count`` moves; each column serves one."""

    steps: Int64s
    places: Int64s
    kinds: Int64s

    @classmethod
    def of(cls, stream: np.random.RandomState, count: int) -> "Draw":
        """Draw them, 30 bits each."""
        return cls(*stream.randint(0, 1 << 30, (3, count), dtype=np.int64))


def layer_lots(layers: int) -> Int64s:
    """Return layer numbers, each as often as its chance to be chosen."""
    middle = np.resize(np.arange(1, max(layers - 1, 1)), MIDDLE * max(layers - 2, 0))
    return np.concatenate([np.zeros(FIRST), middle, np.full(LAST, layers - 1)]).astype(np.int64)


def draw_change(
    network: Network, stream: np.random.RandomState, layer: int, neuron: int, pivot: int, count: int
) -> Change:
    """Draw ``count`` alternatives: one or two weights, the bias, or weights with the sum at code ``pivot`` kept."""
    draw = Draw.of(stream, count)
    weights = _weight_steps(network.weights[layer][neuron], draw)
    kind = draw.kinds & 3
    jitter = ((draw.kinds >> 2 & 1023) + (draw.kinds >> 12 & 1023) - 1023) / 1024
    bias = np.where(kind == 1, 0.0, jitter * BIAS_REACH_CODES / np.float64(network.factors[layer][neuron, 0]))
    bias -= np.where(kind == 2, weights @ network.values[layer][:, pivot], 0.0)
    before = network.bias[layer][neuron]
    after = np.clip(before + np.rint(bias), -MAX_BIAS, MAX_BIAS)
    return Change(layer, neuron, weights, (after - before).astype(np.float32))


def _weight_steps(row: Float32s, draw: Draw) -> Float32s:
    """Return what to add to a neuron's weights, [count, inputs]: nothing for kind 0, else one or two of them."""
    moves, inputs, rows = (
        np.zeros((draw.steps.size, row.size), np.int64),
        row.size,
        np.arange(draw.steps.size),
    )
    moving = (draw.kinds & 3) > 0
    moves[rows, draw.places % inputs] += (
        STEPS[draw.steps % len(STEPS)] * (1 - 2 * (draw.steps >> 8 & 1)) * moving
    )
    second = STEPS[(draw.steps >> 9) % len(STEPS)] * ((draw.steps >> 20) % 3 - 1)
    if inputs > 1:
        moves[rows, (draw.places >> 12) % inputs] += second * moving
    after: Float32s = np.clip(row + moves, -MAX_WEIGHT, MAX_WEIGHT).astype(np.float32)
    return after - row
