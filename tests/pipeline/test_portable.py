from dataclasses import replace

import numpy as np
import pytest

from sinehil_pipeline.config import ModelRecipe
from sinehil_pipeline.data.samples import Dataset, make_dataset
from sinehil_pipeline.recipes import load_recipe
from sinehil_pipeline.recipes.recipe_checks import INITS
from sinehil_pipeline.training import portable_trainer
from sinehil_pipeline.training.gradients import ACTIVATIONS, BatchStep, activate, predict, weighted_sums
from sinehil_pipeline.training.initialisation import initial_weights, layer_shapes
from sinehil_pipeline.training.optimizers import KERAS_LEARNING_RATES, SCHEDULES, Optimizer

BOOK = load_recipe("book")

SHORT = replace(BOOK.final, epochs=3)
WIDTHS = ((1,), (64,), (1, 1), (3, 64, 2), (64, 64, 64, 64))


@pytest.fixture(scope="module")
def data() -> Dataset:
    return make_dataset(BOOK)


def blocks_of(weights: tuple[np.ndarray, ...]) -> list[np.ndarray]:
    return [
        np.concatenate([kernel, bias[None]]) for kernel, bias in zip(weights[::2], weights[1::2], strict=True)
    ]


def test_sums_over_the_first_axis_are_in_order() -> None:
    """What the module relies on: np.add.reduce(axis=0) into ``out`` is one addition after the other."""
    stream = np.random.RandomState(1)
    shapes = [(17, 16, 16), (17, 8, 16), (16, 17, 16), (8, 17, 16), (17, 16, 1), (17, 8, 1), (16, 2, 16)]
    shapes += [(65, 16, 64), (16, 65, 64), (64, 16, 1), (65, 16, 1), (16, 65, 1), (16, 2, 1), (1000, 2, 3)]
    for shape in shapes:
        values = stream.randn(*shape).astype(np.float32)
        ordered = values[0].copy()
        for part in values[1:]:
            ordered = ordered + part
        found = np.add.reduce(values, axis=0, out=np.empty(shape[1:], np.float32))
        assert found.tobytes() == ordered.tobytes(), shape
        backwards = np.add.reduce(values[::-1].copy(), axis=0)
        assert backwards.tobytes() != ordered.tobytes(), "another order must be noticed"


def numeric_gradient(blocks: list[np.ndarray], x: np.ndarray, y: np.ndarray, activation: str) -> np.ndarray:
    """Differentiate the mean squared error in float64, one parameter after the other."""

    def loss() -> float:
        value = x.astype(np.float64)[None, :, None]
        for block in blocks[:-1]:
            value = np.clip(weighted_sums(block[None], value), 0, 6 if activation == "relu6" else None)
        return float(np.mean((weighted_sums(blocks[-1][None], value)[0, :, 0] - y) ** 2))

    slopes = []
    for block in blocks:
        for place in np.ndindex(block.shape):
            kept, ends = block[place], []
            for step in (1e-6, -1e-6):
                block[place] = kept + step
                ends.append(loss())
            block[place] = kept
            slopes.append((ends[0] - ends[1]) / 2e-6)
    return np.array(slopes)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("hidden", [(3,), (5, 4), (4, 6, 2, 3)])
def test_gradients_are_those_of_differences(data: Dataset, hidden: tuple[int, ...], activation: str) -> None:
    recipe, stream = ModelRecipe("small", hidden, 1, 16, activation, "spread"), np.random.RandomState(3)
    x, y = data.train.x[:16], data.train.y[:16]
    blocks = blocks_of(initial_weights(recipe, stream, x))
    blocks[0] *= 12  # so that relu6 is met at both of its ends
    for block in blocks:
        block += 0.1 * stream.randn(*block.shape).astype(np.float32)  # off the kinks, where no slope is right
    gradients = [np.zeros_like(block) for block in blocks]
    pairs = np.stack([x, np.ones_like(x)], axis=1)
    BatchStep(blocks, gradients, 16, activation).gradients(pairs, y[:, None], np.empty((16, 1), np.float32))
    wide = [block.astype(np.float64) for block in blocks]
    ours = np.concatenate([np.ravel(gradient) for gradient in gradients])
    np.testing.assert_allclose(ours, numeric_gradient(wide, x, y, activation), rtol=1e-3, atol=1e-5)
    other = ACTIVATIONS[1 - ACTIVATIONS.index(activation)]
    assert np.abs(ours - numeric_gradient(wide, x, y, other)).max() > 1e-3, "the other one must be noticed"


def test_activations_at_their_ends() -> None:
    sums = np.array([-1, -0.0, 0.5, 6, 7], np.float32)
    assert activate(sums, "relu").tolist() == [0, 0, 0.5, 6, 7]
    assert activate(sums, "relu6").tolist() == [0, 0, 0.5, 6, 6]


@pytest.mark.parametrize("hidden", WIDTHS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("init", INITS)
def test_every_size_learns(data: Dataset, hidden: tuple[int, ...], activation: str, init: str) -> None:
    recipe = ModelRecipe("any", hidden, 3, 16, activation, init, Optimizer("adam", 0.001, "cosine"))
    fit = portable_trainer.fit(recipe, data, 137)
    assert [weights.shape for weights in fit.weights[::2]] == layer_shapes(recipe)
    assert np.isfinite(fit.history.mse).all()
    assert fit.history.mse[-1] < fit.history.mse[0]


def test_the_last_validation_is_that_of_the_weights(data: Dataset) -> None:
    fit = portable_trainer.fit(replace(SHORT, activation="relu6"), data, 137)
    blocks = [block[None] for block in blocks_of(fit.weights)]
    error = predict(blocks, data.validation.x, "relu6")[0] - data.validation.y
    assert fit.history.final_val_mse == pytest.approx(np.mean(error**2), rel=1e-6)


def test_equal_seeds_give_equal_bytes_and_others_do_not(data: Dataset) -> None:
    once, again, other = (portable_trainer.fit(SHORT, data, seed) for seed in (137, 137, 138))
    assert all(a.tobytes() == b.tobytes() for a, b in zip(once.weights, again.weights, strict=True))
    assert any(a.tobytes() != b.tobytes() for a, b in zip(once.weights, other.weights, strict=True))


def test_every_field_of_a_recipe_counts(data: Dataset) -> None:
    recipes = [replace(SHORT, activation=activation) for activation in ACTIVATIONS]
    recipes += [replace(SHORT, init="spread"), replace(SHORT, optimizer=Optimizer(learning_rate=0.002))]
    optimizers = [Optimizer(name, 0.001, schedule) for name in KERAS_LEARNING_RATES for schedule in SCHEDULES]
    recipes += [replace(SHORT, optimizer=optimizer) for optimizer in optimizers if optimizer != Optimizer()]
    # From one start, so large that relu6 matters.
    start = tuple(3 * array for array in initial_weights(SHORT, np.random.RandomState(1), data.train.x))
    found = [
        portable_trainer.fit(recipe, data, 137, initial=None if recipe.init == "spread" else start).weights
        for recipe in recipes
    ]
    assert len({b"".join(array.tobytes() for array in weights) for weights in found}) == len(recipes)


def test_progress_ends_at_the_last_epoch_even_if_it_is_no_round_number(data: Dataset) -> None:
    heard: list[tuple[int, float]] = []
    fit = portable_trainer.fit(replace(BOOK.final, epochs=23), data, 137, lambda *done: heard.append(done))
    assert [epoch for epoch, _ in heard] == [20, 23]
    assert heard[-1][1] == fit.history.final_val_mse
    assert len(fit.history.val_mse) == 23
