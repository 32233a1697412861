"""Train a model in a worker, with either trainer, until it passes the quality gate."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sinehil.base.manifest import TrainingTry
from sinehil.base.worker import Channel, EpochDone
from sinehil.errors import QualityError
from sinehil.model.arrays import Float32s
from sinehil_pipeline.config import ModelRecipe, Recipe
from sinehil_pipeline.data.samples import Dataset, make_dataset
from sinehil_pipeline.training import portable_trainer
from sinehil_pipeline.training.history import History

PORTABLE = "portable"
KERAS = "keras"
TRAINERS = (PORTABLE, KERAS)
SEEDS = 2**32

Fitter = Callable[[ModelRecipe, Dataset, int, portable_trainer.OnEpoch], portable_trainer.Fit]


@dataclass(frozen=True)
class Trained:
    """A model as it left training, with every initialisation that was tried; ``seed`` is the last one's."""

    name: str
    weights: tuple[Float32s, ...]
    history: History
    seed: int
    tries: tuple[TrainingTry, ...]


def train_baseline(channel: Channel, recipe: Recipe, trainer: str) -> Trained:
    """Train the ungated model once."""
    channel.step_back()
    model, seed = recipe.baseline, recipe.seed
    fit = _fit(channel, model, make_dataset(recipe), seed, trainer)
    return Trained(
        model.name, fit.weights, fit.history, seed, (TrainingTry(seed, fit.history.final_val_mse, True),)
    )


def train_final(channel: Channel, recipe: Recipe, trainer: str) -> Trained:
    """Train the model that is converted; QualityError when no try passes the gate."""
    channel.step_back()
    model, gate, data = recipe.final, recipe.gate, make_dataset(recipe)
    tries: list[TrainingTry] = []
    for number in range(gate.max_tries):
        seed = (recipe.seed + number) % SEEDS
        fit = _fit(channel, model, data, seed, trainer)
        val_mse = fit.history.final_val_mse
        tries.append(TrainingTry(seed, val_mse, val_mse <= gate.max_val_mse))
        if tries[-1].accepted:
            return Trained(model.name, fit.weights, fit.history, seed, tuple(tries))
    raise QualityError(
        f"{model.name} stayed above the gate of {gate.max_val_mse} validation mse in {len(tries)} tries: "
        + ", ".join(f"seed {item.seed} {item.val_mse:.4f}" for item in tries),
        f"raise gate.max_val_mse, or start from another seed: `--seed {(tries[-1].seed + 1) % SEEDS}`",
    )


def _fit(
    channel: Channel, model: ModelRecipe, data: Dataset, seed: int, trainer: str
) -> portable_trainer.Fit:
    def on_epoch(epoch: int, val_mse: float) -> None:
        channel.report(EpochDone(model.name, epoch, model.epochs, val_mse))

    fit = fitter(trainer)(model, data, seed, on_epoch)
    epoch = first_divergence(fit.history)
    if epoch is not None:
        raise QualityError(
            f"training of {model.name} from seed {seed} diverged in epoch {epoch} of {model.epochs}: "
            "its mse is no longer a finite number",
            "another seed will hardly help: lower the optimizer's learning_rate, or look at the size of the data",
        )
    return fit


def first_divergence(history: History) -> int | None:
    """Return the first epoch, from 1, after or in which an mse was not finite; None if there is none."""
    wrong = ~(np.isfinite(history.mse) & np.isfinite(history.val_mse))
    return int(wrong.argmax()) + 1 if wrong.any() else None


def fitter(trainer: str) -> Fitter:
    """Return what trains with this trainer; Keras is imported."""
    if trainer == PORTABLE:
        return portable_trainer.fit
    from sinehil_pipeline.training import keras_models

    keras_models.import_keras()
    return keras_models.fit
