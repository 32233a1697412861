"""The portable trainer against Keras' fit: the same arithmetic, weight by weight, for everything a recipe offers."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from parity_cases import SEED, Arrays, Case, distance, fit_with_keras, start, unshuffled

from sinehil_pipeline.config import ModelRecipe
from sinehil_pipeline.data.samples import Dataset, make_dataset
from sinehil_pipeline.recipes import load_recipe
from sinehil_pipeline.training import optimizers, portable_trainer
from sinehil_pipeline.training.optimizers import KERAS_LEARNING_RATES

BOOK = load_recipe("book")

# Over 40 epochs from Keras' start, with relu6 over 8 from larger weights (`parity_cases`): 5.4e-7 at worst.
LARGEST_DIFFERENCE = 1e-6
CASES = [
    *(Case(model, name) for model, name in product(("model_1", "model_2"), KERAS_LEARNING_RATES)),
    *(Case("model_2", name, "relu6", "cosine") for name in KERAS_LEARNING_RATES),
]
BOOKS_CASE = Case("model_2", "rmsprop")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def data() -> Dataset:
    return make_dataset(BOOK)


@pytest.fixture(scope="module")
def keras(data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Arrays:
    """Keras' weights and history of each case, unshuffled."""
    return fit_with_keras(CASES, data, tmp_path_factory.mktemp("keras"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_weight_agrees_with_keras(data: Dataset, keras: Arrays, case: Case) -> None:
    assert distance(unshuffled(case, data).weights, keras, case) < LARGEST_DIFFERENCE
    assert distance(start(case.recipe, data), keras, case) > 0.1, "it must have learnt something"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_history_agrees_with_keras(data: Dataset, keras: Arrays, case: Case) -> None:
    history = unshuffled(case, data).history
    names = {"mse": "loss", "mae": "mae", "val_mse": "val_loss", "val_mae": "val_mae"}
    for ours, theirs in names.items():
        np.testing.assert_allclose(getattr(history, ours), keras[f"{case.name}/{theirs}"], rtol=1e-5)


def others(case: Case) -> dict[str, ModelRecipe]:
    """Return recipes that differ from the case's in one field each, by the field's name."""
    recipe, optimizer = case.recipe, case.recipe.optimizer
    found = {
        "rate": replace(recipe, optimizer=replace(optimizer, learning_rate=optimizer.learning_rate * 1.001)),
        "name": replace(
            recipe, optimizer=replace(optimizer, name="sgd" if case.optimizer == "adam" else "adam")
        ),
    }
    if case.activation == "relu6":  # the others never reach 6, and have a constant rate
        found["activation"] = replace(recipe, activation="relu")
        found["schedule"] = replace(recipe, optimizer=replace(optimizer, schedule="constant"))
    return found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_another_recipe_does_not_agree(data: Dataset, keras: Arrays, case: Case) -> None:
    for field, other in others(case).items():
        fit = portable_trainer.fit(other, data, SEED, initial=start(case.recipe, data), shuffle=False)
        assert distance(fit.weights, keras, case) > 10 * LARGEST_DIFFERENCE, field


@pytest.mark.parametrize(
    ("constant", "name"), [("EPSILON", "rmsprop"), ("BETA_2", "adam"), ("RHO", "rmsprop")]
)
def test_another_optimizer_constant_does_not_agree(
    data: Dataset, keras: Arrays, monkeypatch: pytest.MonkeyPatch, constant: str, name: str
) -> None:
    monkeypatch.setattr(optimizers, constant, getattr(optimizers, constant) * 0.999)
    case = Case("model_2", name)
    assert distance(unshuffled(case, data).weights, keras, case) > LARGEST_DIFFERENCE


def test_shuffled_batches_do_not_agree(data: Dataset, keras: Arrays) -> None:
    recipe = BOOKS_CASE.recipe
    fit = portable_trainer.fit(recipe, data, SEED, initial=start(recipe, data))
    assert distance(fit.weights, keras, BOOKS_CASE) > 1000 * LARGEST_DIFFERENCE
