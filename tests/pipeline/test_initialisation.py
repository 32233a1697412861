import numpy as np
import pytest

from sinehil_pipeline.config import ModelRecipe
from sinehil_pipeline.training.gradients import ACTIVATIONS, activate, weighted_sums
from sinehil_pipeline.training.initialisation import initial_weights, layer_shapes

X = np.linspace(0, 2 * np.pi, 2001, dtype=np.float32)


def start(recipe: ModelRecipe, seed: int = 137) -> tuple[np.ndarray, ...]:
    return initial_weights(recipe, np.random.RandomState(seed), X)


def recipe_of(hidden: tuple[int, ...], activation: str = "relu", init: str = "spread") -> ModelRecipe:
    return ModelRecipe("any", hidden, epochs=1, batch_size=16, activation=activation, init=init)


def test_keras_is_glorot_uniform() -> None:
    wide = recipe_of((300, 300), init="keras")
    kernels, biases = start(wide)[0::2], start(wide)[1::2]
    for kernel, (inputs, neurons) in zip(kernels, layer_shapes(wide), strict=True):
        limit = np.sqrt(6 / (inputs + neurons))
        assert kernel.shape == (inputs, neurons)
        assert np.abs(kernel).max() <= limit
        assert np.abs(kernel).max() > 0.9 * limit
    assert not any(bias.any() for bias in biases)


def layer_sums(weights: tuple[np.ndarray, ...], activation: str) -> list[np.ndarray]:
    """Return each hidden layer's weighted sums, shape [points, neurons], over X."""
    value, found = X[None, :, None], []
    for kernel, bias in zip(weights[:-2:2], weights[1:-2:2], strict=True):
        found.append(weighted_sums(np.concatenate([kernel, bias[None]])[None], value))
        value = activate(found[-1], activation)
    return [sums[0] for sums in found]


def kinks_inside(sums: np.ndarray) -> int:
    """Count the neurons that fire for some x and not for others."""
    return int(((sums > 0).any(0) & (sums < 0).any(0)).sum())


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_spread_places_a_kink_in_every_part_of_the_range(seed: int, activation: str) -> None:
    weights = start(recipe_of((16, 16), activation), seed)
    places = -weights[1] / weights[0][0]
    np.testing.assert_allclose(places, (np.arange(16) + 0.5) / 16 * 2 * np.pi, rtol=1e-5)
    for layer, sums in enumerate(layer_sums(weights, activation)):
        at_kinks = sums[np.abs(X[:, None] - places).argmin(0), np.arange(16)]
        assert np.abs(at_kinks).max() < 0.01, f"layer {layer + 1} is zero where its neurons were put"


def test_spread_uses_neurons_that_keras_leaves_dead() -> None:
    def used(init: str) -> list[int]:
        runs = [layer_sums(start(recipe_of((16, 16), init=init), seed), "relu") for seed in range(20)]
        return [sum(kinks_inside(layers[index]) for layers in runs) for index in range(2)]

    assert used("spread")[0] == 20 * 16
    assert used("spread")[1] > 20 * 14
    assert used("keras")[0] == 0, "all kinks at x = 0"


def test_spread_draws_the_kernels_that_keras_draws() -> None:
    spread, keras = start(recipe_of((16, 16))), start(recipe_of((16, 16), init="keras"))
    assert all(a.tobytes() == b.tobytes() for a, b in zip(spread[::2], keras[::2], strict=True))
    assert not spread[-1].any(), "the last neuron has no kink"


@pytest.mark.parametrize("hidden", [(1,), (64,), (1, 1, 1, 1), (64, 64, 64, 64)])
def test_spread_is_finite_at_every_size(hidden: tuple[int, ...]) -> None:
    assert all(np.isfinite(array).all() for array in start(recipe_of(hidden)))
