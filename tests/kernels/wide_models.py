"""Small models with several inputs and outputs, as files that the interpreters take."""

import numpy as np
from models import Layer, Net

from sinehil.model.tflite import Quantization, QuantizedModel

SCALES = [Quantization(np.float32(scale), zero) for scale, zero in ((0.05, -3), (0.1, -128), (0.06, 4))]
HIDDEN = 6


def wide_model(inputs: int, outputs: int) -> QuantizedModel:
    """Return a net of two layers whose outputs use most of their range."""
    dice = np.random.default_rng([inputs, outputs])
    first = _layer(dice, inputs, HIDDEN, SCALES[0], SCALES[1], "RELU")
    return Net(SCALES[0], (first, _layer(dice, HIDDEN, outputs, SCALES[1], SCALES[2], "NONE"))).model()


def _layer(
    dice: np.random.Generator,
    inputs: int,
    outputs: int,
    source: Quantization,
    result: Quantization,
    activation: str,
) -> Layer:
    weights = dice.integers(-127, 128, (outputs, inputs)).astype(np.int8)
    factor = np.float32(1 / np.sqrt(inputs) / 127)
    return Layer(
        weights,
        dice.integers(-500, 500, outputs).astype(np.int32),
        np.full(outputs, factor * result.scale / source.scale, np.float32),
        result,
        activation,
    )
