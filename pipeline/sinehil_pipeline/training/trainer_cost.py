"""Measure the time of Keras' fit against the portable trainer, one after the other, in one run."""

import statistics
import time
from dataclasses import dataclass

from sinehil.base.installed import check_installed
from sinehil.base.worker import Channel, EpochDone
from sinehil.base.workers import Progress, Workers
from sinehil_pipeline.config import ModelRecipe, Recipe
from sinehil_pipeline.data.samples import make_dataset
from sinehil_pipeline.training.jobs import KERAS, PORTABLE, fitter

# The portable trainer is timed before and after Keras, so that a machine that slows down meanwhile shows.
ORDER = (PORTABLE, PORTABLE, KERAS, PORTABLE)


@dataclass(frozen=True)
class Cost:
    """Time of one training: ``seconds`` on the clock, ``cpu_seconds`` over all threads."""

    seconds: float
    cpu_seconds: float


@dataclass(frozen=True)
class Comparison:
    """Both trainers on one model from one seed; imports are not counted."""

    model: str
    epochs: int
    portable: Cost
    keras: Cost

    @property
    def ratio(self) -> float:
        """How many times longer Keras takes."""
        return self.keras.seconds / self.portable.seconds

    @property
    def cpu_ratio(self) -> float:
        """How many times more processor time Keras takes: the same on a machine that is shared."""
        return self.keras.cpu_seconds / self.portable.cpu_seconds


def compare_trainers(recipe: Recipe, model: ModelRecipe, progress: Progress) -> Comparison:
    """Train ``model`` on the recipe's data with both; nothing else of ours runs meanwhile. Raises ToolError."""
    check_installed("tensorflow")
    costs = [(trainer, _cost(recipe, model, trainer, progress)) for trainer in ORDER]
    portable, keras = (
        _median([cost for name, cost in costs if name == wanted]) for wanted in (PORTABLE, KERAS)
    )
    return Comparison(model.name, model.epochs, portable, keras)


def _cost(recipe: Recipe, model: ModelRecipe, trainer: str, progress: Progress) -> Cost:
    with Workers(progress) as workers:
        task = workers.start(time_training, recipe, model, trainer)
        workers.wait_for(task)
    return task.result()


def _median(costs: list[Cost]) -> Cost:
    return Cost(
        statistics.median(cost.seconds for cost in costs),
        statistics.median(cost.cpu_seconds for cost in costs),
    )


def time_training(channel: Channel, recipe: Recipe, model: ModelRecipe, trainer: str) -> Cost:
    """Train ``model`` once in this process and say what it took."""

    def on_epoch(epoch: int, val_mse: float) -> None:
        channel.report(EpochDone(f"{trainer} {model.name}", epoch, model.epochs, val_mse))

    fit, data = fitter(trainer), make_dataset(recipe)
    started, cpu_started = time.perf_counter(), time.process_time()
    fit(model, data, recipe.seed, on_epoch)
    return Cost(time.perf_counter() - started, time.process_time() - cpu_started)
