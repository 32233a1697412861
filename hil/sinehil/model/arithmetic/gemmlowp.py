"""gemmlowp's 32-bit fixed point (fixedpoint/fixedpoint.h), in int64 NumPy; n is the number of integer bits.

A raw int32 r with n integer bits stands for r / 2^(31-n). TFLM computes its tables and all its scaling with it.
"""

import numpy as np

from sinehil.model.arrays import Int64s

INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1
ONE = INT32_MAX  # with no integer bits
EXP_MINUS_EIGHTH, THIRD = 1895147668, 715827883  # with no integer bits
# exp(-1/4), exp(-1/2), exp(-1), ...: factors for the bits of the rest, from 1/4 upwards
EXP_OF_BITS = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
NEWTON_48_17, NEWTON_32_17 = 1515870810, -1010580540  # with two integer bits


def quantize_multiplier(real: float) -> tuple[int, int]:
    """Return TFLite's QuantizeMultiplier: an int32 ``q`` and a shift, real = q / 2^31 * 2^shift; 0 below 2^-32."""
    mantissa, shift = np.frexp(real)
    fixed = int(np.floor(float(mantissa) * 2**31 + 0.5))
    if fixed == 2**31:
        fixed, shift = fixed // 2, shift + 1
    return (0, 0) if shift < -31 else (fixed, int(shift))


def multiply_by_quantized_multiplier(x: Int64s, multiplier: int, shift: int) -> Int64s:
    """Return x * multiplier / 2^31 * 2^shift, rounded twice; x * 2^shift must fit in int32."""
    high = doubling_high_mul(x << max(shift, 0), multiplier)
    return rounding_divide_by_pot(high, max(-shift, 0))


def doubling_high_mul(a: Int64s, b: Int64s | int) -> Int64s:
    """Return SaturatingRoundingDoublingHighMul: a * b / 2^31, ties up."""
    product = np.asarray(a * b, np.int64)
    nudged = product + np.where(product >= 0, 1 << 30, 1 - (1 << 30))
    high: Int64s = np.sign(nudged) * (np.abs(nudged) >> 31)
    return np.minimum(high, INT32_MAX)


def rounding_divide_by_pot(x: Int64s, exponent: int) -> Int64s:
    """Return RoundingDivideByPOT: x / 2^exponent, ties away from zero."""
    mask = (1 << exponent) - 1
    up = (x & mask) > (mask >> 1) + (x < 0)
    return np.asarray((x >> exponent) + up, np.int64)


def tanh(a: Int64s, n: int) -> Int64s:
    """Return tanh, with no integer bits, of numbers with n."""
    half = _exp_on_negative_values(-np.abs(a), n + 1)  # read with one integer bit more, that is doubled
    t = _saturating_shift(_reciprocal_of_half(half) - (1 << 29), 2)
    return np.where(a == 0, 0, np.where(a < 0, -t, t))


def logistic(a: Int64s, n: int) -> Int64s:
    """Return the logistic function, with no integer bits, of numbers with n."""
    positive = _saturating_shift(_reciprocal_of_half(_exp_on_negative_values(-np.abs(a), n)), 1)
    return np.where(a == 0, 1 << 30, np.where(a > 0, positive, ONE - positive))


def _exp_on_negative_values(a: Int64s, n: int) -> Int64s:
    fraction_bits = 31 - n
    quarter = 1 << (fraction_bits - 2)
    rest = (a & (quarter - 1)) - quarter
    result = _exp_on_last_quarter(_saturating_shift(rest, n))
    for bit, factor in enumerate(EXP_OF_BITS[: n + 2], fraction_bits - 2):
        result = np.where((rest - a) & (1 << bit), doubling_high_mul(result, factor), result)
    return np.where(a == 0, ONE, result)


def _exp_on_last_quarter(a: Int64s) -> Int64s:
    """Return exp of numbers in [-1/4, 0) with no integer bits: a Taylor series around -1/8."""
    x = a + (1 << 28)
    x2 = doubling_high_mul(x, x)
    x3, x4 = doubling_high_mul(x2, x), doubling_high_mul(x2, x2)
    higher = doubling_high_mul(rounding_divide_by_pot(x4, 2) + x3, THIRD) + x2
    return EXP_MINUS_EIGHTH + doubling_high_mul(x + rounding_divide_by_pot(higher, 1), EXP_MINUS_EIGHTH)


def _reciprocal_of_half(a: Int64s) -> Int64s:
    """Return 2 / (1 + a), with two integer bits, for a in [0, 1] with none: three steps of Newton's division."""
    half = (a + ONE + 1) >> 1
    x = NEWTON_48_17 + doubling_high_mul(half, NEWTON_32_17)
    for _ in range(3):
        rest = (1 << 29) - doubling_high_mul(half, x)
        x = x + _saturating_shift(doubling_high_mul(x, rest), 2)
    return x


def _saturating_shift(x: Int64s, exponent: int) -> Int64s:
    return np.asarray(np.clip(x << exponent, INT32_MIN, INT32_MAX), np.int64)
