"""Lookup tables of TANH and LOGISTIC, computed with the C library's functions as LiteRT does.

The last bit of tanhf and expf is the C library's affair: on another one an entry may differ whose exact value is
within some 1e-7 of the middle between two codes. So the functions are called here, not approximated.
"""

import ctypes
import ctypes.util
import math
from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

from sinehil.model.arithmetic.exact_sums import HIGHEST, LOWEST
from sinehil.model.arrays import Codes, Float32s
from sinehil.model.tflite import Lookup

EXP_SATURATES = 100  # XNNPACK's sigmoid is 0 or 1 beyond


def table_inputs(table: Lookup) -> Float32s:
    """Return the float32 number that each of the 256 input codes stands for."""
    codes = np.arange(LOWEST, HIGHEST + 1, dtype=np.float32)
    return (codes - np.float32(table.input.zero_point)) * table.input.scale


def rounded_codes(values: NDArray[np.floating]) -> Codes:
    """Return whole numbers as codes, clamped."""
    codes: Codes = np.clip(values, LOWEST, HIGHEST).astype(np.int8)
    return codes


def tanh_of_float(x: Float32s) -> Float32s:
    """Return tanhf of each."""
    return _each(_libm("tanhf"), x)


def logistic_of_float(x: Float32s) -> Float32s:
    """Return 1 / (1 + expf(-x)), each step rounded to float32."""
    with np.errstate(over="ignore"):
        return np.float32(1) / (np.float32(1) + _each(_libm("expf"), -x))


def logistic_of_double(x: Float32s) -> Float32s:
    """Return e / (1 + e) with e = exp(x) in double, rounded to float32 once."""
    return _each(_logistic, x)


def _logistic(x: float) -> float:
    if abs(x) > EXP_SATURATES:
        return float(x > 0)
    e = math.exp(x)
    return e / (1 + e)


def _each(function: Callable[[float], float], x: Float32s) -> Float32s:
    return np.array([function(value) for value in x.tolist()], np.float32)


@cache
def _libm(name: str) -> Callable[[float], float]:
    function = ctypes.CDLL(ctypes.util.find_library("m") or "libm.so.6")[name]
    function.argtypes, function.restype = [ctypes.c_float], ctypes.c_float

    def call(value: float) -> float:
        return float(function(value))

    return call
