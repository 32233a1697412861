"""From trained weights to the two .tflite files, by TensorFlow's own converter."""

import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from sinehil_pipeline.config import Recipe
from sinehil_pipeline.data import Float32s
from sinehil_pipeline.keras_models import build_model

MODEL_NAME = "sine"


@dataclass(frozen=True)
class Form:
    """How a file is quantised: a weight scale for each neuron or one a layer; float32 or int8 in and out."""

    per_channel: bool
    float_io: bool


QUANTIZED_FORM = Form(per_channel=True, float_io=True)
FORMS = tuple(Form(per_channel, float_io) for float_io in (True, False) for per_channel in (True, False))


@dataclass(frozen=True)
class TfliteFiles:
    """``quantized`` takes and gives float32 and computes in int8, as the book has it."""

    float: bytes
    quantized: bytes


def representative_x(recipe: Recipe) -> Float32s:
    """Return evenly spaced x from 0 to 2 pi, both ends included: beyond what calibration saw, x saturates."""
    return np.linspace(0, 2 * math.pi, recipe.representative_samples, dtype=np.float32)


def convert(recipe: Recipe, weights: Sequence[Float32s]) -> TfliteFiles:
    """Convert the final model with these weights, batch fixed to 1."""
    return TfliteFiles(_convert(recipe, weights, None), _convert(recipe, weights, QUANTIZED_FORM))


def convert_as(recipe: Recipe, weights: Sequence[Float32s], form: Form) -> bytes:
    """Convert the final model to int8 in another form."""
    return _convert(recipe, weights, form)


def _convert(recipe: Recipe, weights: Sequence[Float32s], form: Form | None) -> bytes:
    import tensorflow as tf

    # A fresh graph each time: names are made unique within one, and they end up in the file.
    tf.keras.backend.clear_session()
    model = build_model(recipe.final, MODEL_NAME, batch_size=1)
    model.set_weights(list(weights))
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    if form is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: _single_inputs(representative_x(recipe))
        converter._experimental_disable_per_channel = not form.per_channel
        if not form.float_io:
            converter.inference_input_type = converter.inference_output_type = tf.int8
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "Statistics for quantized inputs": they come from the dataset
        return bytes(converter.convert())


def _single_inputs(x: Float32s) -> Iterator[list[Float32s]]:
    for value in x:
        yield [value.reshape(1, 1)]
