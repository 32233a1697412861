"""LiteRT with its default XNNPACK delegate: requantization by float32 products, ties to even."""

import numpy as np

from sinehil.model.arithmetic.activation_tables import (
    logistic_of_double,
    rounded_codes,
    table_inputs,
    tanh_of_float,
)
from sinehil.model.arithmetic.exact_sums import HIGHEST, LOWEST
from sinehil.model.arithmetic.oracle_arithmetic import LARGEST, Arithmetic
from sinehil.model.arrays import Codes, Float32s, Int64s
from sinehil.model.tflite import FullyConnected, Lookup, Quantization


class Litert(Arithmetic):
    """XNNPACK's qs8 kernels, ``f32-qs8-vcvt`` and its tables of unary operators."""

    name = "litert"

    def quantize_input(self, x: Float32s, quantization: Quantization) -> Codes:
        """Return clamp(rint_half_even(fl(x * fl(1/scale))) + zero_point); NaN gives 127."""
        inverse = np.float32(1) / quantization.scale
        zero_point = quantization.zero_point
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            scaled = np.asarray(x, np.float32) * inverse
            clamped = np.clip(scaled, LOWEST - zero_point, HIGHEST - zero_point)
        whole = np.rint(np.where(np.isnan(scaled), HIGHEST - zero_point, clamped))
        return (whole + zero_point).astype(np.int8)

    def requantize(self, layer: FullyConnected, accumulators: Int64s) -> Int64s:
        """Return rint_half_even(fl(fl(acc) * factor))."""
        rounded: Float32s = np.rint(accumulators.astype(np.float32) * self.factors(layer))
        return rounded.astype(np.int64)

    def factors(self, layer: FullyConnected) -> Float32s:
        """Return the float32 factor between accumulator and output code of each neuron, shape [out]."""
        return (layer.input.scale * layer.weight_scales) / layer.output.scale

    def lookup(self, table: Lookup) -> Codes:
        """Return the codes that XNNPACK puts into its table: ties to even, the zero point added before rounding."""
        x = table_inputs(table)
        y = tanh_of_float(x) if table.operator == "TANH" else logistic_of_double(x)
        inverse = np.float32(1) / table.output.scale
        return rounded_codes(np.rint(y * inverse + np.float32(table.output.zero_point)))

    def code_of_six(self, quantization: Quantization) -> int:
        """Return rint_half_even(fl(fl(6/scale) + zero_point))."""
        six = np.float32(6) / quantization.scale
        return int(np.rint(np.minimum(six + np.float32(quantization.zero_point), np.float32(HIGHEST))))

    def last_ordered(self, quantization: Quantization) -> np.float32:  # noqa: ARG002 - saturates for every scale
        """Return the largest float32."""
        return LARGEST
