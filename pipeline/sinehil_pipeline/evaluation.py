"""Everything after training that needs TensorFlow, in one worker."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np

from sinehil_pipeline import convert, interpret, keras_models
from sinehil_pipeline.config import ModelRecipe, Recipe
from sinehil_pipeline.data import Dataset, Float32s, Split, make_dataset
from sinehil_pipeline.keras_file import saved_bytes
from sinehil_pipeline.worker import Channel

Weights = Sequence[Float32s]


@dataclass(frozen=True)
class Metrics:
    """Errors on the test set; ``max_abs_error_to_sine`` is against sin(x), the others against the noisy y."""

    mse: float
    mae: float
    max_abs_error: float
    max_abs_error_to_sine: float


@dataclass(frozen=True)
class KerasModel:
    """One model as Keras has it: table, saved bytes, test metrics and predictions, shape [n]."""

    name: str
    summary: str
    saved: bytes
    metrics: Metrics
    train_y: Float32s
    test_y: Float32s


@dataclass(frozen=True)
class Evaluation:
    """Both models, the two files, and what the interpreter makes of them on the test set."""

    baseline: KerasModel
    final: KerasModel
    files: convert.TfliteFiles
    float_y: Float32s
    quantized_y: Float32s
    float_metrics: Metrics
    quantized_metrics: Metrics
    versions: dict[str, str]


def evaluate(channel: Channel, recipe: Recipe) -> Evaluation:
    """Import TensorFlow, wait for the weights of (baseline, final), then evaluate, save, convert and interpret."""
    import_everything()
    baseline_weights, final_weights = channel.receive()
    data = make_dataset(recipe)
    files = convert.convert(recipe, final_weights)
    float_y, quantized_y = (
        interpret.run_interpreter(model, data.test.x) for model in (files.float, files.quantized)
    )
    return Evaluation(
        baseline=_keras_model(recipe.baseline, baseline_weights, data),
        final=_keras_model(recipe.final, final_weights, data),
        files=files,
        float_y=float_y,
        quantized_y=quantized_y,
        float_metrics=metrics(float_y, data.test),
        quantized_metrics=metrics(quantized_y, data.test),
        versions=versions(),
    )


def import_everything() -> None:
    """Spend the time of imports while the training still runs."""
    keras_models.import_keras()
    import ai_edge_litert.interpreter  # noqa: F401


def versions() -> dict[str, str]:
    """Return the versions that decide the files' bytes."""
    import tensorflow as tf

    names = ("ai-edge-litert", "keras", "numpy", "sinehil")
    return {"tensorflow": str(tf.__version__), **{name: version(name) for name in names}}


def metrics(y: Float32s, test: Split) -> Metrics:
    """Compare predictions with the test set, in float64."""
    error = y.astype(np.float64) - test.y
    to_sine = y - np.sin(test.x.astype(np.float64))
    return Metrics(
        mse=_rounded(np.mean(error * error)),
        mae=_rounded(np.mean(np.abs(error))),
        max_abs_error=_rounded(np.max(np.abs(error))),
        max_abs_error_to_sine=_rounded(np.max(np.abs(to_sine))),
    )


def _keras_model(recipe: ModelRecipe, weights: Weights, data: Dataset) -> KerasModel:
    model = keras_models.compiled_model(recipe, len(data.train.x), weights)
    test_y = keras_models.predict(model, data.test.x)
    score, own = keras_models.evaluate(model, data.test), metrics(test_y, data.test)
    return KerasModel(
        name=recipe.name,
        summary=keras_models.summary_text(model),
        saved=saved_bytes(model),
        metrics=Metrics(
            _rounded(score.mse), _rounded(score.mae), own.max_abs_error, own.max_abs_error_to_sine
        ),
        train_y=keras_models.predict(model, data.train.x),
        test_y=test_y,
    )


def _rounded(value: float | np.float32 | np.float64) -> float:
    """Keep five digits: what float32 arithmetic on different CPUs agrees on."""
    return float(f"{value:.5g}")
