"""Drop constant neurons and neurons with no consumer; fold what is constant into biases."""

from collections.abc import Sequence

import numpy as np

from sinehil.model.arrays import Int64s
from sinehil.model.tflite import FullyConnected
from sinehil_kernels.value_ranges import LayerRanges


def computed_neurons(layers: Sequence[LayerRanges], *, keep_outputs: bool) -> list[list[int]]:
    """Return for each layer the neurons to compute: those that vary and that a computed neuron has a weight for.

    ``keep_outputs``: the model's outputs are computed even if they are constant, and of every layer one neuron at
    least, for code that loops over neurons.
    """
    computed: list[list[int]] = []
    weights: Int64s | None = None  # of the computed neurons behind the layer
    for layer in reversed(layers):
        wanted = layer.outputs[:, 0] != layer.outputs[:, 1]
        if weights is not None:
            wanted &= np.any(weights != 0, axis=0)
        elif keep_outputs:
            wanted = np.ones_like(wanted)
        numbers = np.flatnonzero(wanted).tolist() or [0] * keep_outputs
        computed.insert(0, numbers)
        weights = layer.layer.weights[numbers].astype(np.int64)
    return computed


def folded_biases(layer: FullyConnected, sources: Int64s) -> Int64s:
    """Return the neurons' accumulators [out] where every input that is computed is stored as 0.

    ``sources`` [in]: the codes that those inputs stand for then, and the only code of each constant one.
    """
    at_zero: Int64s = layer.weights.astype(np.int64) @ (sources - layer.input.zero_point)
    return at_zero + layer.bias.astype(np.int64)
