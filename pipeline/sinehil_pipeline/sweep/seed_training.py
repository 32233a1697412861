"""Train and measure single seeds, in a worker process."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sinehil.base.worker import Channel, EpochDone
from sinehil.errors import ArtefactError
from sinehil.model.arrays import Float32s
from sinehil.model.tflite import parse_quantized_model
from sinehil_pipeline.config import Recipe
from sinehil_pipeline.conversion import convert
from sinehil_pipeline.conversion.evaluation import every_x, import_everything, metrics, run_interpreter
from sinehil_pipeline.data.samples import Split, make_dataset, target_of
from sinehil_pipeline.sweep.seeds import SeedResult
from sinehil_pipeline.training import portable_trainer
from sinehil_pipeline.training.curves import fixed_order_y
from sinehil_pipeline.training.jobs import first_divergence

WHAT = "the int8 model"


def measure_seeds(channel: Channel, recipe: Recipe) -> None:
    """Hand over a SeedResult for each seed that the parent sends, until it sends None."""
    import_everything()
    while (seed := channel.receive()) is not None:
        channel.hand_over(measure_seed(channel, replace(recipe, seed=seed)))


def measure_seed(channel: Channel, recipe: Recipe) -> SeedResult:
    """Train from the recipe's seed once, gate or no gate, convert, and measure on the test set.

    The figures are those of `sinehil train`. The float model is run in a fixed order of additions, so that they are
    the same on every CPU, and never depend on what else is swept.
    """

    def on_epoch(epoch: int, val_mse: float) -> None:
        channel.report(EpochDone(f"seed {recipe.seed}", epoch, recipe.final.epochs, val_mse))

    data = make_dataset(recipe)
    fit = portable_trainer.fit(recipe.final, data, recipe.seed, on_epoch)
    if first_divergence(fit.history) is not None:
        return SeedResult(recipe.seed)
    y = fixed_order_y(fit.weights, data.test.x, recipe.final.activation)
    if not np.isfinite(y).all():
        return SeedResult(recipe.seed)
    learnt = SeedResult(
        recipe.seed,
        val_mse=fit.history.final_val_mse,
        best_val_mse=float(fit.history.val_mse.min()),
        test_mse=metrics(y, data.test, target_of(recipe)).mse,
    )
    return _with_int8(learnt, recipe, fit.weights, data.test)


def _with_int8(learnt: SeedResult, recipe: Recipe, weights: Sequence[Float32s], test: Split) -> SeedResult:
    quantized = convert.convert_as(recipe, weights, recipe.quantization)
    try:
        parse_quantized_model(quantized, WHAT)
    except ArtefactError:
        return learnt
    target = target_of(recipe)
    y = run_interpreter(quantized, test.x)
    if not np.isfinite(y).all():
        return learnt
    found = every_x(quantized, target)
    return replace(
        learnt,
        int8_test_mse=metrics(y, test, target).mse,
        int8_max_abs_error=None if found is None else found.max_abs_error,
    )
