"""How much of the input space a comparison decides, counted from the inputs that were really compared."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sinehil.arithmetic import quantize_input
from sinehil.tflite_model import Quantization
from sinehil.verify.result import Float32s, VerifyResult

ALL_CODES = 256
ALL_STEPS = ALL_CODES - 1
# The rule of sinehil.arithmetic, whose steps are counted here, is this oracle's.
COUNTED_ORACLE = "litert"


@dataclass(frozen=True)
class Coverage:
    """``codes`` of 256 int8 codes; ``steps`` of 255 quantiser steps with both float32 neighbours compared."""

    codes: int
    steps: int
    every_float: bool
    specials: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether these inputs decide the output for every int8 code and every float32 x but NaN."""
        return self.codes == ALL_CODES and self.every_float


def coverage_of(result: VerifyResult) -> Coverage:
    """Count what the inputs of ``result`` decide."""
    codes = 0 if result.codes is None else len(np.unique(result.codes.x_q))
    x = result.floats.x
    identity = result.identity
    input_ = Quantization(np.float32(identity.input_scale), identity.input_zero_point)
    steps, gaps = (0, ALL_STEPS) if result.oracle != COUNTED_ORACLE else _steps_and_gaps(x, input_)
    ends = bool(np.isposinf(x).any() and np.isneginf(x).any())
    return Coverage(codes, steps, ends and gaps == 0, _specials(x))


def _steps_and_gaps(x: Float32s, input_: Quantization) -> tuple[int, int]:
    """Return the steps seen from both neighbours, and the pairs of inputs with an unseen step between them."""
    ordered = np.unique(x[~np.isnan(x)])
    jump = np.diff(quantize_input(ordered, input_).astype(np.int16))
    neighbours = np.diff(_position(ordered)) == 1
    return int(jump[neighbours].sum()), int(np.count_nonzero(jump[~neighbours]))


def _position(x: Float32s) -> NDArray[np.int64]:
    """Return each float's place among all float32 in ascending order; both zeros share theirs."""
    bits = x.view(np.int32).astype(np.int64)
    return np.where(bits < 0, -(bits & 0x7FFFFFFF), bits)


def _specials(x: Float32s) -> tuple[str, ...]:
    """Name the values on which implementations differ, as far as they were compared."""
    info = np.finfo(np.float32)
    found = {
        "zeros of both signs": {_bits(0.0), _bits(-0.0)} <= set(x.view(np.uint32).tolist()),
        "subnormal numbers": bool(((np.abs(x) < info.tiny) & (x != 0)).any()),
        "the largest numbers of both signs": bool((x == info.max).any() and (x == info.min).any()),
        "infinities of both signs": bool(np.isposinf(x).any() and np.isneginf(x).any()),
        "NaN": bool(np.isnan(x).any()),
    }
    return tuple(name for name, present in found.items() if present)


def _bits(value: float) -> int:
    return int(np.float32(value).view(np.uint32))
