"""Base class of an oracle's arithmetic: input quantizer, requantization, lookup tables, and whole networks."""

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from sinehil.model.arithmetic.exact_sums import HIGHEST, LOWEST, accumulate
from sinehil.model.arrays import Codes, Float32s, Int64s
from sinehil.model.tflite import FullyConnected, Lookup, Quantization, QuantizedModel

LARGEST = np.finfo(np.float32).max


class Arithmetic(ABC):
    """The rules of one interpreter, without state."""

    name: ClassVar[str]

    @abstractmethod
    def quantize_input(self, x: Float32s, quantization: Quantization) -> Codes:
        """Return the int8 code of each float32, of any shape; NaN and infinities included."""

    @abstractmethod
    def requantize(self, layer: FullyConnected, accumulators: Int64s) -> Int64s:
        """Return the rounded products [n, out] of accumulators [n, out], before zero point and clamp."""

    @abstractmethod
    def lookup(self, table: Lookup) -> Codes:
        """Return the 256 output codes of a TANH or LOGISTIC operator; the first is that of code -128."""

    @abstractmethod
    def code_of_six(self, quantization: Quantization) -> int:
        """Return the code of 6, where RELU6 ends, before it is clamped."""

    @abstractmethod
    def last_ordered(self, quantization: Quantization) -> np.float32:
        """Return the largest x up to which, and down to minus which, the code never falls while x rises."""

    def code_limits(self, layer: FullyConnected) -> tuple[int, int]:
        """Return the lowest and highest output code that the activation allows."""
        low, high, zero_point = LOWEST, HIGHEST, layer.output.zero_point
        if layer.activation in ("RELU", "RELU6"):
            low = max(low, zero_point)
        if layer.activation == "RELU6":
            high = min(high, self.code_of_six(layer.output))
        return low, high

    def run_layer(self, layer: FullyConnected | Lookup, codes: NDArray[np.integer]) -> Int64s:
        """Return the output codes [n, out] of one layer for its input codes [n, in]."""
        if isinstance(layer, Lookup):
            return self.lookup(layer).astype(np.int64)[np.asarray(codes, np.int64) - LOWEST]
        low, high = self.code_limits(layer)
        rounded = self.requantize(layer, accumulate(layer, codes))
        return np.clip(rounded + layer.output.zero_point, low, high)

    def infer_codes(self, model: QuantizedModel, codes: Codes) -> Codes:
        """Return the output codes [n, outputs] for input codes [n, inputs]."""
        values = np.asarray(codes, np.int64).reshape(-1, model.inputs)
        for layer in model.layers:
            values = self.run_layer(layer, values)
        return values.astype(np.int8)

    def quantizer_steps(self, quantization: Quantization) -> Float32s:
        """Return, for each of the 255 steps, the last float32 below and the first above it, shape [255, 2].

        Found by bisection over the ordered bit patterns of the float32 numbers between which codes are ordered.
        """
        above = np.arange(LOWEST + 1, HIGHEST + 1)
        end = _order(self.last_ordered(quantization))
        low, high = np.full(255, -end, np.int64), np.full(255, end, np.int64)
        while np.any(high - low > 1):
            middle = (low + high) // 2
            reached = self.quantize_input(_unorder(middle), quantization) >= above
            low, high = np.where(reached, low, middle), np.where(reached, middle, high)
        return np.stack([_unorder(low), _unorder(high)], axis=1)

    def quantizer_probes(self, quantization: Quantization) -> Float32s:
        """Return float32 inputs [n] that together decide the code of every float32.

        Both neighbours of each step, of the ends of the range in which codes are ordered, and the special values
        on which implementations differ.
        """
        last = self.last_ordered(quantization)
        ends = np.zeros(0, np.float32) if last == LARGEST else np.array([last, np.nextafter(last, np.inf)])
        return np.concatenate(
            [self.quantizer_steps(quantization).ravel(), ends, -ends, _special_values()]
        ).astype(np.float32)


def _special_values() -> Float32s:
    info = np.finfo(np.float32)
    positive = np.array(
        [0, info.smallest_subnormal, info.tiny, info.eps, info.max, np.inf, np.nan], np.float32
    )
    return np.concatenate([positive, -positive]).astype(np.float32)


def _order(value: np.float32) -> int:
    """Return the place of a positive float32 among all of them; that of minus the number is the negative."""
    return int(value.view(np.int32))


def _unorder(order: Int64s) -> Float32s:
    bits = np.where(order >= 0, order, -order | 0x80000000).astype(np.uint32)
    return bits.view(np.float32)
