"""Which inputs decide everything: the int8 codes, and the floats around every step of the quantiser."""

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sinehil.arithmetic import dequantize, quantizer_steps
from sinehil.errors import ArtefactError
from sinehil.tflite_model import Quantization

Float32s = NDArray[np.float32]
TWO_PI = np.float32(2 * np.pi)


def all_codes() -> NDArray[np.int8]:
    """Return the 256 int8 codes in ascending order."""
    return np.arange(-128, 128, dtype=np.int16).astype(np.int8)


def exhaustive_floats(input_: Quantization) -> Float32s:
    """Return float32 inputs that together decide y for every float32 x.

    y depends on x only through its code, and the quantiser is a monotone step function, so both float32
    neighbours of each of its 255 steps fix the code of every number between them. The special values are
    those on which implementations differ.
    """
    steps = quantizer_steps(input_).ravel()
    return np.concatenate([steps, _ends(input_), _special_values()]).astype(np.float32)


def evenly_spaced(count: int) -> Float32s:
    """Return ``count`` inputs from 0 to 2 pi."""
    return np.linspace(0, TWO_PI, count, dtype=np.float32)


def test_set(samples: Path) -> Float32s:
    """Return the x of the test split of ``data/samples.csv``; ArtefactError if there are none."""
    try:
        with samples.open(newline="") as file:
            x = [float(row["x"]) for row in csv.DictReader(file) if row["split"] == "test"]
    except (OSError, KeyError, ValueError, csv.Error) as error:
        raise ArtefactError(
            f"{samples} is not the pipeline's sample file: {error}", "run `sinehil train` to make it again"
        ) from error
    if not x:
        raise ArtefactError(f"{samples} has no test samples", "run `sinehil train` to make it again")
    return np.array(x, dtype=np.float32)


def in_sine_range(x: Float32s) -> NDArray[np.bool_]:
    """Return which inputs lie in [0, 2 pi], where the model was trained."""
    return (x >= 0) & (x <= TWO_PI)


def _ends(input_: Quantization) -> Float32s:
    """Both ends of the representable range and of the sine's, and beyond both ends."""
    low, high = dequantize(np.array([-128, 127], dtype=np.int8), input_)
    beyond = [low - 1, high + 1, 10 * low - 10, 10 * high + 10, -1000, 1000]
    return np.array([low, high, 0, TWO_PI, *beyond], dtype=np.float32)


def _special_values() -> Float32s:
    info = np.finfo(np.float32)
    positive = np.array(
        [0, info.smallest_subnormal, info.tiny, info.eps, info.max, np.inf, np.nan], np.float32
    )
    return np.concatenate([positive, -positive]).astype(np.float32)
