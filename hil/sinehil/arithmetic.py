"""The integer and float rules of the oracle ``litert`` (LiteRT's default, XNNPACK), in NumPy.

Measured against ai-edge-litert over all codes and all quantiser steps; see tests/codegen.
"""

import numpy as np
from numpy.typing import NDArray

from sinehil.tflite_model import FullyConnected, Quantization, QuantizedModel

Float32s = NDArray[np.float32]
Codes = NDArray[np.int8]
LOWEST, HIGHEST = -128, 127


def quantize_input(x: Float32s, quantization: Quantization) -> Codes:
    """Return the int8 code of each float32: clamp(rint_half_even(fl(x * fl(1/scale))) + zero_point); NaN gives 127."""
    inverse = np.float32(1) / quantization.scale
    zero_point = quantization.zero_point
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        scaled = np.asarray(x, np.float32) * inverse
        clamped = np.clip(scaled, LOWEST - zero_point, HIGHEST - zero_point)
    return (np.rint(np.where(np.isnan(scaled), HIGHEST - zero_point, clamped)) + zero_point).astype(np.int8)


def dequantize(codes: Codes, quantization: Quantization) -> Float32s:
    """Return fl(float(code - zero_point) * scale)."""
    return (np.asarray(codes, np.int16) - quantization.zero_point).astype(np.float32) * quantization.scale


def multipliers(layer: FullyConnected) -> Float32s:
    """Return the float32 factor between accumulator and output code of each neuron, shape [out]."""
    return (layer.input.scale * layer.weight_scales) / layer.output.scale


def code_limits(layer: FullyConnected) -> tuple[int, int]:
    """Return the lowest and highest output code that the activation allows."""
    low, high, zero_point = LOWEST, HIGHEST, layer.output.zero_point
    if layer.activation in ("RELU", "RELU6"):
        low = max(low, zero_point)
    if layer.activation == "RELU6":
        six = np.rint(np.float32(6) / layer.output.scale)
        high = int(min(np.float32(high), six + np.float32(zero_point)))
    return low, high


def requantize(accumulators: NDArray[np.int64], factors: Float32s) -> NDArray[np.int64]:
    """Return rint_half_even(fl(fl(acc) * factor)), before zero point and clamp; [n, out] with factors [out]."""
    rounded: Float32s = np.rint(accumulators.astype(np.float32) * factors)
    return rounded.astype(np.int64)


def accumulate(layer: FullyConnected, codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the exact int32 accumulators [n, out] for input codes [n, in]."""
    sums: NDArray[np.int64] = (codes - layer.input.zero_point) @ layer.weights.astype(np.int64).T
    sums += layer.bias
    return sums


def run_layer(layer: FullyConnected, codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the output codes [n, out] of one layer."""
    low, high = code_limits(layer)
    accumulators = accumulate(layer, codes)
    return np.clip(requantize(accumulators, multipliers(layer)) + layer.output.zero_point, low, high)


def infer_codes(model: QuantizedModel, codes: Codes) -> Codes:
    """Return the output codes [n, outputs] for input codes [n, inputs]."""
    values = np.asarray(codes, np.int64).reshape(-1, model.inputs)
    for layer in model.layers:
        values = run_layer(layer, values)
    return values.astype(np.int8)


def quantizer_steps(quantization: Quantization) -> Float32s:
    """Return, for each of the 255 steps, the last float32 below and the first above it, shape [255, 2].

    Found by bisection over the ordered bit patterns of finite float32 numbers.
    """
    above = np.arange(LOWEST + 1, HIGHEST + 1)
    low = np.full(255, _order(-np.finfo(np.float32).max), np.int64)
    high = np.full(255, _order(np.finfo(np.float32).max), np.int64)
    while np.any(high - low > 1):
        middle = (low + high) // 2
        reached = quantize_input(_unorder(middle), quantization) >= above
        low, high = np.where(reached, low, middle), np.where(reached, middle, high)
    return np.stack([_unorder(low), _unorder(high)], axis=1)


def _order(value: np.float32 | float) -> int:
    bits = int(np.float32(value).view(np.int32))
    return bits if bits >= 0 else -(bits & 0x7FFFFFFF)


def _unorder(order: NDArray[np.int64]) -> Float32s:
    bits = np.where(order >= 0, order, -order | 0x80000000).astype(np.uint32)
    return bits.view(np.float32)
