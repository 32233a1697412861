"""The inputs that decide everything: all int8 codes, and the floats around every step of the quantiser."""

import csv
import io
from pathlib import Path

import numpy as np

from sinehil.base.files import bounded_bytes
from sinehil.errors import ArtefactError
from sinehil.model.arithmetic import arithmetic_of, dequantize
from sinehil.model.arrays import Codes, Float32s
from sinehil.model.targets import Target
from sinehil.model.tflite import Quantization

STEPS = 255
MAX_SAMPLES_BYTES = 16 << 20  # three times what the most samples of a recipe take
FLOAT32_MAX = float(np.finfo(np.float32).max)


def all_codes() -> Codes:
    """Return the 256 int8 codes in ascending order."""
    return np.arange(-128, 128, dtype=np.int16).astype(np.int8)


def exhaustive_floats(input_: Quantization, target: Target | None = None, oracle: str = "litert") -> Float32s:
    """Return float32 inputs that together decide y for every float32 x, and the ends of the target's range.

    y depends on x only through its code, and the oracle's quantiser is a step function, so both float32
    neighbours of each of its steps fix the code of every number between them.
    """
    steps = arithmetic_of(oracle).quantizer_steps(input_).ravel()
    return np.concatenate([steps, edge_floats(input_, target, oracle)])


def edge_floats(input_: Quantization, target: Target | None = None, oracle: str = "litert") -> Float32s:
    """Return the ends of the input's and the target's range, what lies beyond, and the special values of float32."""
    beside_steps = arithmetic_of(oracle).quantizer_probes(input_)[2 * STEPS :]
    return np.concatenate([_ends(input_, target), beside_steps]).astype(np.float32)


def evenly_spaced(count: int, low: float, high: float) -> Float32s:
    """Return ``count`` inputs from ``low`` to ``high``."""
    return np.linspace(np.float32(low), np.float32(high), count, dtype=np.float32)


def input_range(input_: Quantization, target: Target | None) -> tuple[float, float]:
    """Return the x that the model is for: the target's range, else what its input codes can represent."""
    if target is not None:
        return target.low, target.high
    low, high = dequantize(np.array([-128, 127], dtype=np.int8), input_)
    return float(low), float(high)


def test_set(samples: Path) -> Float32s:
    """Return the x of the test split of ``data/samples.csv``; ArtefactError if there are none."""
    try:
        content = bounded_bytes(samples, MAX_SAMPLES_BYTES)
        if content is None:
            raise ValueError(f"more than {MAX_SAMPLES_BYTES} bytes")
        rows = csv.DictReader(io.StringIO(content.decode(), newline=""))
        x = [_finite(row["x"]) for row in rows if row["split"] == "test"]
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise ArtefactError(
            f"{samples} is not the pipeline's sample file: {error}", "run `sinehil train` to make it again"
        ) from error
    if not x:
        raise ArtefactError(f"{samples} has no test samples", "run `sinehil train` to make it again")
    return np.array(x, dtype=np.float32)


def _finite(text: str) -> float:
    value = float(text)
    if not abs(value) <= FLOAT32_MAX:
        raise ValueError(f"x is {text[:40]}, not a finite float32 number")
    return value


def _ends(input_: Quantization, target: Target | None) -> Float32s:
    """Both ends of the representable range and of the target's, and beyond both ends."""
    low, high = input_range(input_, None)
    wanted = [] if target is None else [target.low, target.high]
    beyond = [low - 1, high + 1, 10 * low - 10, 10 * high + 10, -1000, 1000]
    return np.array([low, high, *wanted, *beyond], dtype=np.float32)
