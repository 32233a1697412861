"""Recipes from files: what they say, and what the manifest carries."""

import re
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from recipe_texts import MINIMAL, written

from sinehil_pipeline.config import DataRecipe, GateRecipe, ModelRecipe, Recipe, Refine
from sinehil_pipeline.recipes import BUILT_IN, load_recipe, recipe_text
from sinehil_pipeline.recipes.checked_table import RecipeTable
from sinehil_pipeline.recipes.recipe_checks import KNOWN_KEYS, build_recipe
from sinehil_pipeline.training.optimizers import Optimizer


def test_the_book_says_what_the_book_says() -> None:
    assert load_recipe("book") == Recipe(
        name="book",
        samples=1000,
        seed=137,
        noise=0.1,
        train_fraction=0.6,
        validation_fraction=0.2,
        baseline=ModelRecipe("model_1", hidden=(16,), epochs=1000, batch_size=16),
        final=ModelRecipe("model_2", hidden=(16, 16), epochs=600, batch_size=16),
        gate=GateRecipe(max_val_mse=0.015, max_tries=5),
        representative_samples=500,
    )


def test_precise_is_another_way_to_the_same_sine() -> None:
    recipe = load_recipe("precise")
    assert recipe.data == DataRecipe("sin")
    assert (recipe.final.init, recipe.final.optimizer.name, recipe.final.optimizer.schedule) == (
        "spread",
        "adam",
        "cosine",
    )
    assert all(isinstance(step, Refine) for step in recipe.after) and recipe.after


def test_what_the_books_comments_call_defaults_are_the_defaults(tmp_path: Path) -> None:
    """Whoever takes a # away gets what held without it; so the template cannot drift from the code."""
    text = recipe_text("book").partition("# [[after]]")[0]
    live, count = re.subn(r"^# (?=\[[a-z.]+\]$|[a-z_]+ = )", "", text, flags=re.MULTILINE)
    assert count == 11
    live = re.sub(r"^file = .*$", "", live, flags=re.MULTILINE)
    assert load_recipe(written(tmp_path, live)) == load_recipe("book")
    other = live.replace('"constant"', '"cosine"', 1)
    assert load_recipe(written(tmp_path, other)) != load_recipe("book"), "it must be read"


def test_the_books_example_of_a_step_is_one(tmp_path: Path) -> None:
    text = recipe_text("book")
    example = text[text.index("# [[after]]") :]
    step = "\n".join(line.removeprefix("# ") for line in example.splitlines())
    assert load_recipe(written(tmp_path, MINIMAL + step)).after == (Refine(budget=24_000_000, seed=0),)


def test_the_book_names_every_key() -> None:
    text = recipe_text("book")
    for key in KNOWN_KEYS:
        last = key.rpartition(".")[2]
        assert re.search(rf"\b{last}\b", text), key


def test_a_minimal_recipe_gets_the_defaults(tmp_path: Path) -> None:
    recipe = load_recipe(written(tmp_path, MINIMAL))
    assert recipe.final == ModelRecipe("model_2", (64, 1, 3, 4), 3, 8, "relu", "keras", Optimizer())
    assert recipe.gate == GateRecipe(1.0, 2) and isinstance(recipe.gate.max_val_mse, float)


@pytest.mark.parametrize(("name", "rate"), [("rmsprop", 0.001), ("adam", 0.001), ("sgd", 0.01)])
def test_an_optimizer_without_a_rate_has_keras_own(tmp_path: Path, name: str, rate: float) -> None:
    text = MINIMAL + f'[final.optimizer]\nname = "{name}"\n'
    assert load_recipe(written(tmp_path, text)).final.optimizer == Optimizer(name, rate)


def test_keras_defaults_are_those() -> None:
    from sinehil_pipeline.training.keras_models import import_keras
    from sinehil_pipeline.training.optimizers import KERAS_LEARNING_RATES

    optimizers = import_keras().optimizers
    for name, rate in KERAS_LEARNING_RATES.items():
        assert float(optimizers.get(name).learning_rate) == pytest.approx(rate), name


@pytest.mark.parametrize("name", BUILT_IN)
def test_what_the_manifest_carries_is_the_same_recipe(name: str) -> None:
    recipe = load_recipe(name)
    document = {**asdict(recipe), "data": {"target": recipe.data.target}}
    document["after"] = [dict(step) for step in document["after"]]
    for model in ("baseline", "final"):
        document[model]["hidden"] = list(document[model]["hidden"])
    assert build_recipe(RecipeTable("manifest", document), None, "") == recipe
    assert build_recipe(RecipeTable("manifest", {**document, "seed": 1}), None, "") == replace(recipe, seed=1)
