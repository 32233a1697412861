"""What both trainers are held against each other on: a case, its Keras fit, and how far the weights are apart."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tests import cpu

from sinehil_pipeline.config import ModelRecipe
from sinehil_pipeline.data.samples import Dataset
from sinehil_pipeline.recipes import load_recipe
from sinehil_pipeline.training import portable_trainer
from sinehil_pipeline.training.initialisation import initial_weights
from sinehil_pipeline.training.optimizers import keras_optimizer

BOOK = load_recipe("book")

SEED = 137
# Where relu6 saturates there are so many kinks that after 40 epochs a sample stands within a rounding error of one:
# then the portable trainer started one float32 step off ends 1e-6 to 2e-4 away from itself.
EPOCHS = {"relu": 40, "relu6": 8}
KERAS_TIMEOUT_S = 600

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Case:
    model: str
    optimizer: str
    activation: str = "relu"
    schedule: str = "constant"

    @property
    def name(self) -> str:
        return "-".join((self.model, self.optimizer, self.activation, self.schedule))

    @property
    def recipe(self) -> ModelRecipe:
        """Keras' default optimizer on one of the book's models."""
        book = {recipe.name: recipe for recipe in (BOOK.baseline, BOOK.final)}[self.model]
        optimizer = keras_optimizer(self.optimizer, self.schedule)
        return replace(book, epochs=EPOCHS[self.activation], activation=self.activation, optimizer=optimizer)

    def for_keras(self) -> dict[str, object]:
        recipe = self.recipe
        return {
            "name": self.name,
            "hidden": recipe.hidden,
            "activation": self.activation,
            "optimizer": self.optimizer,
            "schedule": self.schedule,
            "epochs": recipe.epochs,
        }


def start(recipe: ModelRecipe, data: Dataset) -> tuple[np.ndarray, ...]:
    """Return weights to start from; those for relu6 are so large that 6 is reached."""
    kernel, *others = initial_weights(recipe, np.random.RandomState(SEED), data.train.x)
    return (kernel * (2 if recipe.activation == "relu6" else 1), *others)


def fit_with_keras(cases: Sequence[Case], data: Dataset, folder: Path) -> Arrays:
    """Return Keras' weights and history of all cases, trained in one process, unshuffled."""
    given, found = folder / "given.npz", folder / "found.npz"
    arrays = {"x_train": data.train.x, "y_train": data.train.y}
    arrays |= {"x_validation": data.validation.x, "y_validation": data.validation.y}
    for case in cases:
        arrays |= {f"{case.name}/{index}": array for index, array in enumerate(start(case.recipe, data))}
    np.savez(given, cases=json.dumps([case.for_keras() for case in cases]), **arrays)
    command = [sys.executable, str(Path(__file__).with_name("keras_fits.py")), str(given), str(found)]
    # oneDNN sums by CPU: with AVX-512 on an AMD EPYC the weights end 1.25e-6 apart, with AVX2 5.4e-7.
    environment = {**os.environ, **cpu.AVX2}
    subprocess.run(command, check=True, capture_output=True, timeout=KERAS_TIMEOUT_S, env=environment)
    return dict(np.load(found))


def unshuffled(case: Case, data: Dataset) -> portable_trainer.Fit:
    return portable_trainer.fit(case.recipe, data, SEED, initial=start(case.recipe, data), shuffle=False)


def distance(weights: Sequence[np.ndarray], keras: Arrays, case: Case) -> float:
    """Return the largest difference of any weight."""
    pairs = [(ours, keras[f"{case.name}/{index}"]) for index, ours in enumerate(weights)]
    return max(float(np.abs(ours - theirs).max()) for ours, theirs in pairs)
