"""What a kernel of this kind cannot go below: cycles counted for the model at hand, not measured.

Of its kind is a kernel that knows in which region of the codes u lies, and computes each neuron that is not constant
there by MULs from the bytes of the layer before it; which neurons rest it learns from their sums, except in the first
layer, where u tells. On one input such a kernel has at least to

- fetch x and store y: 6 cycles for one of each, 4 more for every further one of either (a load or a store of 2 cycles,
  and 2 for what stands between it and its use); clear r1 behind the last MUL: 1;
- find the region, if there are several: a comparison and a branch: 2;
- find the byte of each first-layer neuron of a one-input model that is not at rest: a constant, a MUL, a move: 4;
- set each sum to its bias: 2; look whether it rests, if it can: 2; and bring it to a byte by the shortest line,
  if it does not: 8;
- for each byte that is not 0 and each neuron: add the product to two bytes: 2; and make the product: 3, or 2 if one
  step leads to it from another, once for all neurons with the same factor.

More comparisons, jumps, saved registers, third bytes and longer lines are not counted: a kernel might do without
them. Nor is it counted that a product can be spared where the factor is the sum of two others. A neuron is at rest
where it has the lowest code of the region. More regions would be faster still, and larger, down to the table of all
answers.
"""

from collections.abc import Sequence

import numpy as np

from sinehil.model.arrays import Bools, Int64s
from sinehil_kernels.folding import computed_neurons
from sinehil_kernels.speed.products import product_cycles
from sinehil_kernels.value_ranges import LayerReach

FIND_REGION = 2
FIXED, FURTHER, FIRST_BYTE, BIAS, TEST, LINE, SUM = 7, 4, 4, 2, 2, 8, 2


def bound_cycles(layers: Sequence[LayerReach], codes: Sequence[Int64s]) -> float:
    """Return the mean over inputs of one region; ``codes``: what each layer gives on them, [n, out] each."""
    inputs, outputs = layers[0].layer.weights.shape[1], layers[-1].layer.weights.shape[0]
    rows = len(codes[0])
    total = float(rows * (FIXED + FURTHER * (inputs + outputs - 2)))
    active: Bools = np.ones((rows, inputs), np.bool_)
    for number, (layer, alive, found) in enumerate(
        zip(layers, computed_neurons(layers, keep_outputs=False), codes, strict=True)
    ):
        sources, active = active, _active(layer, alive, found)
        if number == 0 and layer.trace is not None and layer.input_table is None and len(layers) > 1:
            total += FIRST_BYTE * int(active.sum())
            continue
        can_rest = sum(int((layer.neurons[j].codes == layer.outputs[j, 0]).sum()) > 1 for j in alive)
        can_rest *= layer.table is None
        total += rows * (BIAS * len(alive) + TEST * can_rest) + LINE * int(active.sum())
        total += sum(_products(layer, alive, row) for row in sources)
    return total / rows


def _active(layer: LayerReach, alive: Sequence[int], codes: Int64s) -> Bools:
    """Return which neurons are computed and not at rest, [n, out]."""
    computed = np.zeros(codes.shape[1], np.bool_)
    computed[list(alive)] = True
    found: Bools = computed & (codes > layer.outputs[:, 0])
    return found


def _products(layer: LayerReach, alive: Sequence[int], sources: Bools) -> int:
    factors = np.abs(layer.layer.weights[list(alive)][:, sources].astype(np.int64))
    shared = sum(product_cycles(frozenset(column.tolist())) for column in factors.T)
    return int(SUM * np.count_nonzero(factors) + shared)
