"""Measure an int8 model's largest error over every x, and the least error that its scales allow.

All x of one code get one y, so its error is at least half of what the target spans there; and y is one of 256 values.
"""

from dataclasses import dataclass

import numpy as np

from sinehil.model.arithmetic import LITERT, dequantize
from sinehil.model.arrays import Bools, Codes, Float64s
from sinehil.model.interpreters import LitertOracle
from sinehil.model.targets import Target
from sinehil.model.tflite import Quantization, QuantizedModel

CODES = np.arange(-128, 128, dtype=np.int16).astype(np.int8)

# Even, so that the middle of a cell is among the points; a smooth target's extremes are missed by its curvature
# times (cell / 64)^2 / 8 at most: 2e-8 for sin.
POINTS_PER_CELL = 65
# libm's last digit differs between CPUs and decides nothing once rounded to this.
TARGET_GRAIN = 2.0**-24


@dataclass(frozen=True)
class Span:
    """The lowest and highest target over the x of each of the 256 input codes; ``used`` says which have any."""

    lowest: Float64s
    highest: Float64s
    used: Bools


def spans(input_: Quantization, target: Target) -> Span:
    """Return what the target spans in each code's cell, as the oracle's quantiser cuts [low, high] into cells."""
    steps = LITERT.quantizer_steps(input_).astype(np.float64)
    first = np.maximum(np.concatenate([[-np.inf], steps[:, 1]]), target.low)
    last = np.minimum(np.concatenate([steps[:, 0], [np.inf]]), target.high)
    used = first <= last
    inside = np.linspace(0, 1, POINTS_PER_CELL)
    x = (
        np.where(used, first, target.low)[:, None] * (1 - inside)
        + np.where(used, last, target.low)[:, None] * inside
    )
    y = np.rint(target.function(x) / TARGET_GRAIN) * TARGET_GRAIN
    return Span(y.min(axis=1), y.max(axis=1), used)


def error_table(input_: Quantization, output: Quantization, target: Target) -> Float64s:
    """Return the largest |y - target(x)| over the cell of each input code (rows) for each output code (columns)."""
    span = spans(input_, target)
    y = dequantize(CODES, output).astype(np.float64)[None, :]
    errors = np.maximum(np.abs(y - span.lowest[:, None]), np.abs(y - span.highest[:, None]))
    return np.where(span.used[:, None], errors, 0.0)


def worst_error(model: QuantizedModel, target: Target, y_q: Codes) -> float:
    """Return the largest |y - target(x)| over all x in the target's range, for the output codes of all 256 inputs."""
    errors = error_table(model.input, model.output, target)
    return float(errors[np.arange(256), y_q.astype(np.int64) + 128].max())


def floor_of(input_: Quantization, output: Quantization, target: Target) -> float:
    """Return the least possible maximum of |y - target(x)| over all x in the target's range: no model has less."""
    return float(error_table(input_, output, target).min(axis=1).max())


@dataclass(frozen=True)
class EveryX:
    """The largest |y - target(x)| over every x in the target's range, and the least that the model's scales allow."""

    max_abs_error: float
    floor: float


def measure_every_x(model: QuantizedModel, target: Target) -> EveryX:
    """Run the interpreter on the 256 codes that x can become: y depends on x through its code alone."""
    y_q = LitertOracle(model).predict_codes(CODES)
    return EveryX(worst_error(model, target, y_q), floor_of(model.input, model.output, target))
