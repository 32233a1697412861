"""The sha256 of what the portable trainer makes of some recipes, as JSON. Run as a program; needs NumPy alone."""

import hashlib
import itertools
import json
import sys
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from tests.cpu import simd_levels

from sinehil_pipeline.config import ModelRecipe
from sinehil_pipeline.data.samples import make_dataset
from sinehil_pipeline.recipes import load_recipe
from sinehil_pipeline.training import portable_trainer
from sinehil_pipeline.training.gradients import ACTIVATIONS
from sinehil_pipeline.training.initialisation import initial_weights
from sinehil_pipeline.training.optimizers import KERAS_LEARNING_RATES, SCHEDULES, keras_optimizer

BOOK = load_recipe("book")
DATA = make_dataset(BOOK)


def recipes() -> Iterator[ModelRecipe]:
    """Yield the book's models in full, and shorter ones of every other kind and of extreme sizes."""
    yield from (BOOK.baseline, BOOK.final)
    short = replace(BOOK.final, epochs=60, init="spread")
    for name, schedule, activation in itertools.product(KERAS_LEARNING_RATES, SCHEDULES, ACTIVATIONS):
        optimizer = keras_optimizer(name, schedule)
        yield replace(
            short, name=f"{name} {schedule} {activation}", activation=activation, optimizer=optimizer
        )
    yield replace(short, name="wide", hidden=(64, 64, 64, 64), epochs=2)
    yield replace(short, name="narrow", hidden=(1, 33, 1), epochs=2, batch_size=7)


def digest(recipe: ModelRecipe) -> str:
    fit = portable_trainer.fit(recipe, DATA, BOOK.seed, initial=start(recipe))
    return hashlib.sha256(b"".join(array.tobytes() for array in fit.weights)).hexdigest()


def start(recipe: ModelRecipe) -> list[np.ndarray]:
    """Return the initial weights; those for relu6 are so large that 6 is reached."""
    weights = list(initial_weights(recipe, np.random.RandomState(BOOK.seed), DATA.train.x))
    if recipe.activation == "relu6":
        weights[:2] = weights[0] * 4, weights[1] * 4
    return weights


json.dump(
    {
        "numpy": np.__version__,
        "levels": simd_levels(),
        "weights": {recipe.name: digest(recipe) for recipe in recipes()},
    },
    sys.stdout,
)
