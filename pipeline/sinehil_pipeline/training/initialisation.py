"""Draw initial weights: as Keras does, or with neurons spread over the input range."""

import itertools

import numpy as np

from sinehil.model.arrays import Float32s
from sinehil_pipeline.config import ModelRecipe
from sinehil_pipeline.training.gradients import HiddenActivation, activate, weighted_sums


def layer_shapes(recipe: ModelRecipe) -> list[tuple[int, int]]:
    """Return [inputs, neurons] of each layer."""
    return list(itertools.pairwise([1, *recipe.hidden, 1]))


def initial_weights(recipe: ModelRecipe, stream: np.random.RandomState, x: Float32s) -> tuple[Float32s, ...]:
    """Draw kernel and bias of each layer; ``x`` [n] are the training inputs, whose range ``spread`` covers."""
    weights = _glorot_uniform(recipe, stream)
    return _spread(weights, recipe.activation, x) if recipe.init == "spread" else weights


def _glorot_uniform(recipe: ModelRecipe, stream: np.random.RandomState) -> tuple[Float32s, ...]:
    """Draw Keras' default initialisation: Glorot-uniform kernels, zero biases."""
    weights: list[Float32s] = []
    for inputs, neurons in layer_shapes(recipe):
        limit = np.sqrt(6.0 / (inputs + neurons))
        kernel = limit * (2.0 * stream.random_sample((inputs, neurons)) - 1.0)
        weights += [kernel.astype(np.float32), np.zeros(neurons, np.float32)]
    return tuple(weights)


def _spread(weights: tuple[Float32s, ...], activation: HiddenActivation, x: Float32s) -> tuple[Float32s, ...]:
    """Set the hidden biases so that each layer's neurons have their kinks evenly over the range of ``x``.

    With zero biases every kink of the first layer lies at x = 0, and neurons of negative weight never fire.
    """
    spread = list(weights)
    for layer in range(0, len(weights) - 2, 2):
        kinks = _even_points(x, weights[layer].shape[1])
        sums = _sums_at(kinks, spread[: layer + 2], activation)
        spread[layer + 1] = -np.diagonal(sums).copy()
    return tuple(spread)


def _even_points(x: Float32s, count: int) -> Float32s:
    """Return the middles of ``count`` equal parts of the range of ``x``."""
    low, high = x.min(), x.max()
    parts: Float32s = (np.arange(count, dtype=np.float32) + np.float32(0.5)) / np.float32(count)
    points: Float32s = low + (high - low) * parts
    return points


def _sums_at(x: Float32s, weights: list[Float32s], activation: HiddenActivation) -> Float32s:
    """Return the last given layer's weighted sums, shape [n, neurons], for x [n]."""
    value = sums = x[None, :, None]
    for kernel, bias in zip(weights[::2], weights[1::2], strict=True):
        sums = weighted_sums(np.concatenate([kernel, bias[None]])[None], value)
        value = activate(sums, activation)
    last: Float32s = sums[0]
    return last
