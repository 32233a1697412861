"""LiteRT's reference kernels (``OpResolverType.BUILTIN_REF``): products in double, ties away from zero."""

import numpy as np

from sinehil.model.arithmetic.activation_tables import (
    logistic_of_float,
    rounded_codes,
    table_inputs,
    tanh_of_float,
)
from sinehil.model.arithmetic.exact_sums import multipliers
from sinehil.model.arithmetic.reference import ReferenceArithmetic, round_half_away
from sinehil.model.arrays import Codes, Int64s
from sinehil.model.tflite import FullyConnected, Lookup


class LitertRef(ReferenceArithmetic):
    """``reference_integer_ops::FullyConnected`` as LiteRT calls it, and ``LUTPopulate``."""

    name = "litert-ref"

    def requantize(self, layer: FullyConnected, accumulators: Int64s) -> Int64s:
        """Return round_half_away(double(acc) * (double(si) * double(sw) / double(so)))."""
        return round_half_away(accumulators.astype(np.float64) * multipliers(layer)).astype(np.int64)

    def lookup(self, table: Lookup) -> Codes:
        """Return the codes that LUTPopulate puts into its table: ties away from zero, then the zero point."""
        x = table_inputs(table)
        y = tanh_of_float(x) if table.operator == "TANH" else logistic_of_float(x)
        inverse = np.float32(1) / table.output.scale
        whole = round_half_away((y * inverse).astype(np.float64))
        return rounded_codes(whole + table.output.zero_point)
