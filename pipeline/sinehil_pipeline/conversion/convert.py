"""Convert trained weights to the float and the int8 .tflite file with TensorFlow's converter."""

import contextlib
import io
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sinehil.base.quiet import quiet_stderr
from sinehil.model.arrays import Float32s
from sinehil_pipeline.config import QuantizationRecipe, Recipe
from sinehil_pipeline.data.samples import make_dataset, x_range
from sinehil_pipeline.training.keras_models import build_model

MODEL_NAME = "sine"


# A weight scale for each neuron or one a layer; float32 or int8 in and out.
VARIANTS = tuple(
    QuantizationRecipe(granularity, io)
    for io in ("float", "int8")
    for granularity in ("per_channel", "per_tensor")
)


@dataclass(frozen=True)
class TfliteFiles:
    """``quantized`` computes in int8; it takes and gives float32, as the book has it, or int8, as the recipe says."""

    float: bytes
    quantized: bytes


def representative_x(recipe: Recipe) -> Float32s:
    """Return the x that calibrate: beyond what they cover, x saturates.

    Evenly spaced over the whole range, both ends included, or the first of the test data.
    """
    if recipe.representative == "test":
        return make_dataset(recipe).test.x[: recipe.representative_samples]
    return np.linspace(*x_range(recipe), recipe.representative_samples, dtype=np.float32)


def convert(recipe: Recipe, weights: Sequence[Float32s]) -> TfliteFiles:
    """Convert the final model with these weights, batch fixed to 1."""
    return TfliteFiles(_convert(recipe, weights, None), _convert(recipe, weights, recipe.quantization))


def convert_as(recipe: Recipe, weights: Sequence[Float32s], form: QuantizationRecipe) -> bytes:
    """Convert the final model to int8 in another form."""
    return _convert(recipe, weights, form)


def _convert(recipe: Recipe, weights: Sequence[Float32s], quantization: QuantizationRecipe | None) -> bytes:
    import tensorflow as tf

    # A fresh graph each time: names are made unique within one, and they end up in the file.
    tf.keras.backend.clear_session()
    model = build_model(recipe.final, MODEL_NAME, batch_size=1)
    model.set_weights(list(weights))
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if quantization is not None:
        _quantize(converter, quantization, representative_x(recipe))
    with quiet_converter():
        return bytes(converter.convert())


@contextlib.contextmanager
def quiet_converter() -> Iterator[None]:
    """Leave out what a conversion prints: the list of variables, the converter's settings, a warning of no concern."""
    with contextlib.redirect_stdout(io.StringIO()), quiet_stderr(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "Statistics for quantized inputs": they come from the dataset
        yield


def _quantize(converter: Any, recipe: QuantizationRecipe, representative: Float32s) -> None:
    """Tell the converter how; what is the converter's default is not said, so that its bytes stay its own."""
    import tensorflow as tf

    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: _single_inputs(representative)
    if recipe.granularity == "per_tensor":
        converter._experimental_disable_per_channel_quantization_for_dense_layers = True
    if recipe.io == "int8":
        converter.inference_input_type = converter.inference_output_type = tf.int8


def _single_inputs(x: Float32s) -> Iterator[list[Float32s]]:
    for value in x:
        yield [value.reshape(1, 1)]
