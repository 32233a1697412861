"""Random networks of any shape, by seed: several inputs and outputs, one to eight layers."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from models import Net
from nets import fit_quantization, quantise_layer


def chain_net(
    seed: int, sizes: Sequence[int], activations: Sequence[str] = ("RELU",), spare: float = 1.0
) -> Net:
    """Return a net through ``sizes``; hidden layers take the activations in turn, the last one has none."""
    random = np.random.default_rng(seed)
    values = random.uniform(-1, 1, (512, sizes[0]))
    before = x_quantization = fit_quantization(values, 1)
    layers = []
    for number, (inputs, outputs) in enumerate(pairwise(sizes)):
        kind = activations[number % len(activations)] if number < len(sizes) - 2 else "NONE"
        weights = random.normal(0, inputs**-0.5, (outputs, inputs)) * (4 if kind == "RELU6" else 1)
        bias = random.normal(0, 0.3, outputs)
        values = values @ weights.T + bias
        if kind != "NONE":
            values = np.clip(values, 0, 6 if kind == "RELU6" else np.inf)
        output = fit_quantization(values, spare)
        layers.append(quantise_layer(weights, bias, before, output, kind, bool(seed % 2)))
        before = output
    return Net(x_quantization, tuple(layers))
