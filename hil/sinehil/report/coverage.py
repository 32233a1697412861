"""How much of the input space a comparison decides, counted from the inputs that were compared."""

from dataclasses import dataclass

import numpy as np

from sinehil.model.arithmetic import arithmetic_of
from sinehil.model.arrays import Float32s, Int64s
from sinehil.model.tflite import Quantization
from sinehil.verify.result import VerifyResult

ALL_CODES = 256
ALL_STEPS = ALL_CODES - 1


@dataclass(frozen=True)
class Sampled:
    """Of a model with several inputs: how many different samples of codes, and which quantiser steps.

    ``steps`` of 255 were compared with both neighbours where the outputs differ, at ``positions`` of the inputs.
    """

    codes: int
    steps: int
    positions: int
    specials: tuple[str, ...]


@dataclass(frozen=True)
class Coverage:
    """``codes`` of 256 int8 codes; ``steps`` of 255 quantiser steps with both float32 neighbours compared.

    ``sampled`` is there instead for a model with several inputs, of which nothing is complete.
    """

    codes: int
    steps: int
    every_float: bool
    specials: tuple[str, ...]
    sampled: Sampled | None = None

    @property
    def complete(self) -> bool:
        """Whether these inputs decide the output for every int8 code and every float32 x but NaN."""
        return self.codes == ALL_CODES and self.every_float


def coverage_of(result: VerifyResult) -> Coverage:
    """Count what the inputs of ``result`` decide."""
    if result.is_wide:
        sampled = _sampled(result)
        return Coverage(0, sampled.steps, False, sampled.specials, sampled)
    codes = 0 if result.codes is None else len(np.unique(result.codes.x_q))
    x = result.floats.x
    steps, gaps = _steps_and_gaps(x, _input(result), result.oracle)
    ends = bool(np.isposinf(x).any() and np.isneginf(x).any())
    return Coverage(codes, steps, ends and gaps == 0, _specials(x))


def _input(result: VerifyResult) -> Quantization:
    return Quantization(np.float32(result.identity.input_scale), result.identity.input_zero_point)


def _sampled(result: VerifyResult) -> Sampled:
    """Count the pairs of neighbouring rows that differ at one input, by one float32 and one code, and in an output."""
    x = result.floats.x
    codes = 0 if result.codes is None else len(np.unique(result.codes.x_q, axis=0))
    pairs, at = np.nonzero(x[:-1].view(np.uint32) != x[1:].view(np.uint32))
    alone = np.bincount(pairs, minlength=len(x))[pairs] == 1
    pairs, at = pairs[alone], at[alone]
    below, above = x[pairs, at], x[pairs + 1, at]
    rule = arithmetic_of(result.oracle)
    low, code = (rule.quantize_input(x, _input(result)).astype(np.int16) for x in (below, above))
    step = (_position(above) - _position(below) == 1) & (code - low == 1)
    y = result.floats.oracle_y.reshape(len(x), -1).view(np.uint32)
    shown = step & (y[pairs] != y[pairs + 1]).any(axis=1)
    return Sampled(codes, len(np.unique(code[shown])), len(np.unique(at[shown])), _specials(x))


def _steps_and_gaps(x: Float32s, input_: Quantization, oracle: str) -> tuple[int, int]:
    """Return the steps seen from both neighbours, and the pairs of inputs with an unseen step between them.

    Where an oracle's quantiser overflows it jumps over all codes; that is no step, but must be seen as one.
    """
    ordered = np.unique(x[~np.isnan(x)])
    jump = np.diff(arithmetic_of(oracle).quantize_input(ordered, input_).astype(np.int16))
    neighbours = np.diff(_position(ordered)) == 1
    return int(np.count_nonzero(jump[neighbours] == 1)), int(np.count_nonzero(jump[~neighbours]))


def _position(x: Float32s) -> Int64s:
    """Return each float's place among all float32 in ascending order; both zeros share theirs."""
    bits = x.view(np.int32).astype(np.int64)
    return np.where(bits < 0, -(bits & 0x7FFFFFFF), bits)


def _specials(x: Float32s) -> tuple[str, ...]:
    """Name the values on which implementations differ, as far as they were compared."""
    info = np.finfo(np.float32)
    found = {
        "zeros of both signs": {_bits(0.0), _bits(-0.0)} <= set(x.view(np.uint32).ravel().tolist()),
        "subnormal numbers": bool(((np.abs(x) < info.tiny) & (x != 0)).any()),
        "the largest numbers of both signs": bool((x == info.max).any() and (x == info.min).any()),
        "infinities of both signs": bool(np.isposinf(x).any() and np.isneginf(x).any()),
        "NaN": bool(np.isnan(x).any()),
    }
    return tuple(name for name, present in found.items() if present)


def _bits(value: float) -> int:
    return int(np.float32(value).view(np.uint32))
