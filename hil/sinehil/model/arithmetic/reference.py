"""Rules that the reference kernels of LiteRT and TFLM share: the quantizer, and rounding with ties away from zero."""

import numpy as np

from sinehil.model.arithmetic.exact_sums import HIGHEST, LOWEST
from sinehil.model.arithmetic.oracle_arithmetic import Arithmetic
from sinehil.model.arrays import Codes, Float32s, Float64s
from sinehil.model.tflite import Quantization

OVERFLOW = np.float32(2**31)


class ReferenceArithmetic(Arithmetic):
    """``reference_ops::AffineQuantize``, compiled for x86-64."""

    def quantize_input(self, x: Float32s, quantization: Quantization) -> Codes:
        """Return clamp(int32(round_half_away(fl(x / scale))) + zero_point).

        What int32 cannot hold, NaN included, becomes -2^31 there, and wraps if the zero point is negative: 127 if
        zero_point < 0, else -128, on both sides. So the code is no monotone function of x that far out.
        """
        zero_point = quantization.zero_point
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            scaled = np.asarray(x, np.float32) / quantization.scale
            inside = np.abs(scaled) < OVERFLOW
        whole = round_half_away(np.where(inside, scaled, 0).astype(np.float64))
        codes = np.clip(whole + zero_point, LOWEST, HIGHEST)
        return np.where(inside, codes, HIGHEST if zero_point < 0 else LOWEST).astype(np.int8)

    def code_of_six(self, quantization: Quantization) -> int:
        """Return round_half_away(fl(6/scale)) + zero_point."""
        six = np.array([np.float32(6) / quantization.scale], np.float64)
        return int(min(round_half_away(six)[0], OVERFLOW)) + quantization.zero_point

    def last_ordered(self, quantization: Quantization) -> np.float32:
        """Return the largest x with fl(x / scale) < 2^31."""
        x = OVERFLOW * quantization.scale
        while x / quantization.scale >= OVERFLOW:
            x = np.nextafter(x, np.float32(0))
        while np.nextafter(x, np.float32(np.inf)) / quantization.scale < OVERFLOW:
            x = np.nextafter(x, np.float32(np.inf))
        return x


def round_half_away(values: Float64s) -> Float64s:
    """Return doubles below 2^52 rounded to whole numbers with ties away from zero, as C's round."""
    whole = np.trunc(values)
    return np.where(np.abs(values - whole) >= 0.5, whole + np.sign(values), whole)
