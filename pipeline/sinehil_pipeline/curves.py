"""What the models make of an even grid of x, as values that are drawn alike on every CPU."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sinehil_pipeline.data import Float32s, Float64s
from sinehil_pipeline.gradients import predict

GRID = 401
AGREEMENT = 1e-4
DIGITS = 3


@dataclass(frozen=True)
class Curves:
    """y of the four models and of sin x over ``x``, float64, shape [GRID]."""

    x: Float64s
    sine: Float64s
    baseline: Float64s
    final: Float64s
    lite: Float64s
    quantized: Float64s


def grid_x() -> Float32s:
    """Return evenly spaced x from 0 to 2 pi, both ends included."""
    return np.linspace(0, 2 * math.pi, GRID, dtype=np.float32)


def exact_y(x: Float32s) -> Float64s:
    """Return what the models are to learn, sin x, in float64."""
    return np.asarray(np.sin(x.astype(np.float64)))


def fixed_order_y(weights: Sequence[Float32s], x: Float32s, activation: str) -> Float32s:
    """Return the model's y, shape [n], added up in an order that is the same on every CPU."""
    pairs = zip(weights[::2], weights[1::2], strict=True)
    blocks = [np.concatenate([kernel, bias[None]])[None] for kernel, bias in pairs]
    y: Float32s = predict(blocks, x, activation)[0]
    return y


def drawable(seen: Float32s, fixed: Float32s) -> Float64s:
    """Return ``fixed`` where a runtime's ``seen`` agrees with it, else ``seen`` to DIGITS.

    Runtimes add in an order that depends on the CPU, which changes the seventh digit and should not change a page.
    """
    exact, rounded = fixed.astype(np.float64), np.round(seen.astype(np.float64), DIGITS)
    return np.where(np.abs(seen - exact) < AGREEMENT, exact, rounded)
