"""Starts for the refinement, made at once: nets of hand-placed kinks, quantised as the converter does it."""

from itertools import pairwise

import numpy as np
from models import Layer, Net
from nets import fit_quantization, quantise_layer

from sinehil.model.targets import Target

KINKS = 16


def interpolating_net(target: Target) -> Net:
    """Return a 1-16-16-1 net: relu kinks evenly spaced, passed on by the second layer, summed to a polyline."""
    knots = np.linspace(target.low, target.high, KINKS + 1)
    slopes = np.diff(target.function(knots)) / np.diff(knots)
    bends = np.diff(slopes, prepend=0.0)
    first, offset = np.ones((16, 1)), -knots[:-1]
    last, level = bends[None, :], target.function(knots[:1])
    layers, x = [], np.linspace(target.low, target.high, 256)[:, None]
    before = fit_quantization(x, 1)
    parts = ((first, offset, "RELU"), (np.eye(16), np.zeros(16), "RELU"), (last, level, "NONE"))
    values = x
    for weights, bias, kind in parts:
        values = values @ weights.T + bias
        values = np.maximum(values, 0) if kind == "RELU" else values
        output = fit_quantization(values, 1)
        layers.append(quantise_layer(weights, bias, before, output, kind, per_tensor=False))
        before = output
    assert all(a.weights.shape[0] == b.weights.shape[1] for a, b in pairwise(layers))
    return Net(fit_quantization(x, 1), tuple[Layer, ...](layers))
