"""TensorFlow Lite Micro's kernels (the wheel ``tflite-micro``): gemmlowp's fixed point, rounded twice.

In its sources of 2026 the product of the scales is a float32 where all weights share one scale. In the wheel it is
not: of 15,521 accumulators for which that matters, all were scaled by the product in double.
"""

import numpy as np

from sinehil.model.arithmetic import gemmlowp
from sinehil.model.arithmetic.exact_sums import HIGHEST, LOWEST, multipliers
from sinehil.model.arithmetic.reference import ReferenceArithmetic
from sinehil.model.arrays import Codes, Int64s
from sinehil.model.tflite import FullyConnected, Lookup

TABLE_INTEGER_BITS = 4


class Tflm(ReferenceArithmetic):
    """``reference_integer_ops`` as TFLM calls them, without TFLITE_SINGLE_ROUNDING."""

    name = "tflm"

    def requantize(self, layer: FullyConnected, accumulators: Int64s) -> Int64s:
        """Return MultiplyByQuantizedMultiplier: ties up when doubling, then ties away from zero when shifting."""
        columns = [
            gemmlowp.multiply_by_quantized_multiplier(column, *gemmlowp.quantize_multiplier(factor))
            for column, factor in zip(accumulators.T, multipliers(layer).tolist(), strict=True)
        ]
        return np.stack(columns, axis=1)

    def lookup(self, table: Lookup) -> Codes:
        """Return what the fixed-point kernels give for each code: they have no table of their own."""
        multiplier, shift = np.frexp(float(table.input.scale) * 2.0 ** (31 - TABLE_INTEGER_BITS))
        fixed = int(np.floor(float(multiplier) * 2**31 + 0.5))
        radius = int((2**TABLE_INTEGER_BITS - 1) * 2.0 ** (31 - TABLE_INTEGER_BITS) / 2.0 ** int(shift))
        x = np.arange(LOWEST, HIGHEST + 1, dtype=np.int64) - table.input.zero_point
        inside = np.clip(x, 1 - radius, radius - 1) if radius > 0 else np.zeros_like(x)
        scaled = gemmlowp.multiply_by_quantized_multiplier(inside, fixed, int(shift))
        codes = np.clip(self._codes(table, scaled), LOWEST, HIGHEST)
        return np.where(x <= -radius, LOWEST, np.where(x >= radius, HIGHEST, codes)).astype(np.int8)

    @staticmethod
    def _codes(table: Lookup, scaled: Int64s) -> Int64s:
        if table.operator == "TANH":
            return gemmlowp.rounding_divide_by_pot(gemmlowp.tanh(scaled, TABLE_INTEGER_BITS), 31 - 7)
        values = gemmlowp.logistic(scaled, TABLE_INTEGER_BITS)
        return gemmlowp.rounding_divide_by_pot(values, 31 - 8) + LOWEST
