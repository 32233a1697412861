"""Evaluate, convert and interpret both models: all work after training that needs TensorFlow, in one worker."""

import gc
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sinehil.base.installed import versions
from sinehil.base.worker import Channel, Underway
from sinehil.model.arithmetic import LITERT, dequantize
from sinehil.model.arrays import Float32s, Float64s
from sinehil.model.targets import TARGETS, Target
from sinehil.model.tflite import Quantization, parse_quantized_model
from sinehil_pipeline.config import ModelRecipe, Recipe
from sinehil_pipeline.conversion import convert
from sinehil_pipeline.conversion.quantization_variants import MeasuredVariant, measure_variants
from sinehil_pipeline.data.samples import Dataset, Split, make_dataset, target_of
from sinehil_pipeline.refinement.refine import run_steps
from sinehil_pipeline.refinement.target_distance import EveryX, measure_every_x
from sinehil_pipeline.training import keras_models
from sinehil_pipeline.training.curves import grid_x, target_y

Weights = Sequence[Float32s]


@dataclass(frozen=True)
class Metrics:
    """Errors on the test set, against the noisy y; and the largest against the function that was to be learned.

    ``max_abs_error_to_sine`` is the latter where that is sin(x). It is None for another target; where the samples come
    from a file, both are.
    """

    mse: float
    mae: float
    max_abs_error: float
    max_abs_error_to_sine: float | None
    max_abs_error_to_target: float | None


@dataclass(frozen=True)
class KerasModel:
    """One model as Keras has it: table, saved bytes, test metrics and predictions, shape [n].

    ``grid_y`` is over ``curves.grid_x``.
    """

    name: str
    summary: str
    saved: bytes
    metrics: Metrics
    train_y: Float32s
    test_y: Float32s
    grid_y: Float32s


@dataclass(frozen=True)
class Evaluation:
    """Both models, the two files, and what the interpreter makes of them on the test set and over the grid.

    ``every_x`` is the int8 file's, None where no target is known.
    """

    baseline: KerasModel
    final: KerasModel
    files: convert.TfliteFiles
    float_y: Float32s
    quantized_y: Float32s
    float_metrics: Metrics
    quantized_metrics: Metrics
    every_x: EveryX | None
    float_grid_y: Float32s
    quantized_grid_y: Float32s
    versions: dict[str, str]


def evaluate(channel: Channel, recipe: Recipe) -> tuple[MeasuredVariant, ...]:
    """Import TensorFlow, wait for the weights of (baseline, final), hand over their Evaluation.

    While the plots are drawn, go on to other forms of the quantised file, and return what they come to.
    """
    import_everything()
    weights: tuple[Weights, Weights] = channel.receive()
    results = _evaluation(channel, recipe, *weights)
    channel.hand_over(results)
    return measure_variants(recipe, weights[1], results.files)


def _evaluation(
    channel: Channel, recipe: Recipe, baseline_weights: Weights, final_weights: Weights
) -> Evaluation:
    """Evaluate, save, convert and interpret."""

    def on_progress(done: int, most: int, error: float) -> None:
        channel.report(Underway(f"refining: largest error {error:.4f}", done / most))

    data, target, grid = make_dataset(recipe), target_of(recipe), grid_x(recipe)
    files = convert.convert(recipe, final_weights)
    files = replace(files, quantized=run_steps(recipe, files.quantized, on_progress))
    (float_y, float_grid_y), (quantized_y, quantized_grid_y) = (
        [run_interpreter(model, x) for x in (data.test.x, grid)] for model in (files.float, files.quantized)
    )
    return Evaluation(
        baseline=_keras_model(recipe.baseline, baseline_weights, data, grid, target),
        final=_keras_model(recipe.final, final_weights, data, grid, target),
        files=files,
        float_y=float_y,
        quantized_y=quantized_y,
        float_metrics=metrics(float_y, data.test, target),
        quantized_metrics=metrics(quantized_y, data.test, target),
        every_x=every_x(files.quantized, target),
        float_grid_y=float_grid_y,
        quantized_grid_y=quantized_grid_y,
        versions=versions(),
    )


def import_everything() -> None:
    """Spend the time of imports while the training still runs."""
    keras_models.import_keras()
    import ai_edge_litert.interpreter  # noqa: F401

    gc.freeze()  # each conversion collects garbage, which need not look at all of TensorFlow again


def every_x(quantized: bytes, target: Target | None) -> EveryX | None:
    """Return what the interpreter makes of every x of the target in digits that all machines agree on."""
    if target is None:
        return None
    found = measure_every_x(parse_quantized_model(quantized, "the quantised model"), target)
    return EveryX(_rounded(found.max_abs_error), _rounded(found.floor))


def metrics(y: Float32s, test: Split, target: Target | None) -> Metrics:
    """Compare predictions with the test set and with the target, in float64."""
    error = y.astype(np.float64) - test.y
    to_target = None if target is None else _largest(y - target_y(target, test.x))
    return Metrics(
        mse=_rounded(np.mean(error * error)),
        mae=_rounded(np.mean(np.abs(error))),
        max_abs_error=_largest(error),
        max_abs_error_to_sine=to_target if target is TARGETS["sin"] else None,
        max_abs_error_to_target=to_target,
    )


def _largest(error: Float64s) -> float:
    return _rounded(np.max(np.abs(error)))


def _keras_model(
    recipe: ModelRecipe, weights: Weights, data: Dataset, grid: Float32s, target: Target | None
) -> KerasModel:
    model = keras_models.compiled_model(recipe, len(data.train.x), weights)
    test_y = keras_models.predict(model, data.test.x)
    score, own = keras_models.evaluate(model, data.test), metrics(test_y, data.test, target)
    return KerasModel(
        name=recipe.name,
        summary=keras_models.summary_text(model),
        saved=keras_models.saved_bytes(model),
        metrics=replace(own, mse=_rounded(score.mse), mae=_rounded(score.mae)),
        train_y=keras_models.predict(model, data.train.x),
        test_y=test_y,
        grid_y=keras_models.predict(model, grid),
    )


def _rounded(value: float | np.float32 | np.float64) -> float:
    """Keep five digits: what float32 arithmetic on different CPUs agrees on."""
    return float(f"{value:.5g}")


def run_interpreter(model: bytes, x: Float32s) -> Float32s:
    """Return y, shape [n], for x of shape [n], one inference each, as a board would make them.

    Where the model takes or gives int8 codes, they are made from x and turned into y here.
    """
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=model)
    interpreter.allocate_tensors()
    source, result = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    values = LITERT.quantize_input(x, _quantization(source)) if source["dtype"] is np.int8 else x
    outputs = np.empty(len(x), result["dtype"])
    for number, value in enumerate(values):
        interpreter.set_tensor(source["index"], value.reshape(1, 1))
        interpreter.invoke()
        outputs[number] = interpreter.get_tensor(result["index"])[0, 0]
    return dequantize(outputs, _quantization(result)) if result["dtype"] is np.int8 else outputs


def _quantization(details: Any) -> Quantization:
    scale, zero_point = details["quantization"]
    return Quantization(np.float32(scale), int(zero_point))
