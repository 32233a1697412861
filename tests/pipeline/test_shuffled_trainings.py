"""Shuffled, the trainers draw other numbers: what must agree is the distribution of where they end.

40 epochs of model_2, Keras from 20 seeds, portable from 200, Kolmogorov-Smirnov on log val_mse at 1 %. Power, by 1,000
draws: a shift of log val_mse by 0.4 (its sd is 0.47) is noticed with probability 0.83, by 0.5 with 0.95, a learning
rate 1.5 times too large with 0.84. Not noticed: Adam's end after so few epochs, or a missing shuffle (0.03).
"""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from distributions import p_value, power

from sinehil_pipeline.config import ModelRecipe
from sinehil_pipeline.data.samples import make_dataset
from sinehil_pipeline.recipes import load_recipe
from sinehil_pipeline.training import portable_trainer
from sinehil_pipeline.training.optimizers import Optimizer

BOOK = load_recipe("book")

EPOCHS, KERAS_SEEDS, SEEDS, ALPHA = 40, 20, 200, 0.01
TIMEOUT_S = 600
RECIPE = replace(BOOK.final, epochs=EPOCHS)

pytestmark = [pytest.mark.slow, pytest.mark.extended]


def ends(recipe: ModelRecipe) -> np.ndarray:
    data = make_dataset(BOOK)
    return np.log([portable_trainer.fit(recipe, data, seed).history.final_val_mse for seed in range(SEEDS)])


@pytest.fixture(scope="module")
def ours() -> np.ndarray:
    return ends(RECIPE)


def test_both_trainers_end_alike(ours: np.ndarray) -> None:
    program = Path(__file__).with_name("keras_seeds.py")
    command = [sys.executable, program, str(EPOCHS), str(KERAS_SEEDS)]
    done = subprocess.run(command, capture_output=True, check=True, timeout=TIMEOUT_S)
    assert p_value(np.log(json.loads(done.stdout)), ours) > ALPHA


def test_another_learning_rate_ends_elsewhere(ours: np.ndarray) -> None:
    other = ends(replace(RECIPE, optimizer=Optimizer(learning_rate=0.002)))
    assert p_value(other[:KERAS_SEEDS], ours) < ALPHA


def test_the_power_is_as_stated(ours: np.ndarray) -> None:
    sizes = (KERAS_SEEDS, SEEDS)
    assert power(ours, ours, sizes, ALPHA) < 3 * ALPHA
    assert power(ours + 0.5, ours, sizes, ALPHA) > 0.9
