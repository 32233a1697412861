"""Evaluate models on an even grid of x, as values that are drawn alike on every CPU."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sinehil.model.arrays import Float32s, Float64s
from sinehil.model.targets import Target
from sinehil_pipeline.config import Recipe
from sinehil_pipeline.data.samples import x_range
from sinehil_pipeline.training.gradients import HiddenActivation, predict

GRID = 401
AGREEMENT = 1e-4
DIGITS = 3


@dataclass(frozen=True)
class Curves:
    """y of the four models and, where it is known, of the target over ``x``, float64, shape [GRID]."""

    x: Float64s
    target: Float64s | None
    baseline: Float64s
    final: Float64s
    lite: Float64s
    quantized: Float64s

    @property
    def reference(self) -> Float64s:
        """What distances are counted from: the target, else the float model's y."""
        return self.final if self.target is None else self.target


def grid_x(recipe: Recipe) -> Float32s:
    """Return evenly spaced x over the recipe's range, both ends included."""
    return np.linspace(*x_range(recipe), GRID, dtype=np.float32)


def target_y(target: Target, x: Float32s | Float64s) -> Float64s:
    """Return the target in float64, where CPUs agree on all that a picture shows; in float32 they do not."""
    return target.function(x.astype(np.float64))


def fixed_order_y(weights: Sequence[Float32s], x: Float32s, activation: HiddenActivation) -> Float32s:
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
