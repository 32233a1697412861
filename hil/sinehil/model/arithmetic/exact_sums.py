"""Arithmetic that all oracles share: exact accumulators, and dequantization of output codes."""

import numpy as np
from numpy.typing import NDArray

from sinehil.model.arrays import Codes, Float32s, Float64s, Int64s
from sinehil.model.tflite import FullyConnected, Quantization

LOWEST, HIGHEST = -128, 127


def dequantize(codes: Codes, quantization: Quantization) -> Float32s:
    """Return fl(float(code - zero_point) * scale)."""
    return (np.asarray(codes, np.int16) - quantization.zero_point).astype(np.float32) * quantization.scale


def accumulate(layer: FullyConnected, codes: NDArray[np.integer]) -> Int64s:
    """Return the exact int32 accumulators [n, out] for input codes [n, in]."""
    sums: Int64s = (np.asarray(codes, np.int64) - layer.input.zero_point) @ layer.weights.astype(np.int64).T
    sums += layer.bias
    return sums


def accumulator_interval(layer: FullyConnected) -> tuple[Int64s, Int64s]:
    """Return the lowest and highest accumulator of each neuron over all input codes, each [out]."""
    weights = layer.weights.astype(np.int64)
    ends = np.array([LOWEST, HIGHEST], np.int64) - layer.input.zero_point
    products = weights[:, :, None] * ends
    return products.min(axis=2).sum(axis=1) + layer.bias, products.max(axis=2).sum(axis=1) + layer.bias


def multipliers(layer: FullyConnected) -> Float64s:
    """Return the real factor between accumulator and output code of each neuron, shape [out].

    Each oracle rounds it in a way of its own before it multiplies.
    """
    factors: Float64s = float(layer.input.scale) * layer.weight_scales.astype(np.float64)
    return factors / float(layer.output.scale)
