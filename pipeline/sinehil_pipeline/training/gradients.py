"""Forward and backward pass of the portable trainer over one batch, with every sum in a fixed order.

A layer of n inputs and m neurons is one block of shape [n + 1, m]: the kernel's rows, then the bias as the weight of
an input that is always 1.
"""

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np

from sinehil.model.arrays import Float32s

HiddenActivation = Literal["relu", "relu6"]
ACTIVATIONS: tuple[HiddenActivation, ...] = get_args(HiddenActivation)
SIX = np.float32(6)

Blocks = Sequence[Float32s]


def predict(blocks: Blocks, x: Float32s, activation: HiddenActivation) -> Float32s:
    """Return y of shape [models, n] for x [n] and each layer's blocks, shape [models, inputs + 1, neurons]."""
    *hidden, last = blocks
    value = np.broadcast_to(x[None, :, None], (len(last), len(x), 1))
    for block in hidden:
        value = activate(weighted_sums(block, value), activation)
    return weighted_sums(last, value)[:, :, 0]


def weighted_sums(block: Float32s, value: Float32s) -> Float32s:
    """Return [models, n, neurons] of one layer, added in order, for its inputs [models, n, inputs]."""
    total = value[:, :, :1] * block[:, :1, :]
    for row in range(1, block.shape[1] - 1):
        total += value[:, :, row : row + 1] * block[:, row : row + 1, :]
    total += block[:, -1:, :]
    return total


def activate(sums: Float32s, activation: HiddenActivation) -> Float32s:
    """Return what neurons with these weighted sums give."""
    value: Float32s = np.maximum(sums, np.float32(0))
    return value if activation == "relu" else np.minimum(value, SIX)


class _Relu:
    """max(s, 0), and the slope that TensorFlow gives it, from its value: 1 above 0."""

    def __init__(self, rows: int, neurons: int) -> None:
        # Arrays in full: NumPy broadcasts longer than it compares.
        self._zeros = np.zeros((rows, neurons), np.float32)

    def apply(self, sums: Float32s) -> None:
        np.maximum(sums, self._zeros, out=sums)

    def turn_into_slope(self, value: Float32s) -> None:
        np.sign(value, value)


class _Relu6(_Relu):
    """min(max(s, 0), 6); the slope is 1 between 0 and 6, both ends excluded."""

    def __init__(self, rows: int, neurons: int) -> None:
        super().__init__(rows, neurons)
        self._sixes = np.full((rows, neurons), SIX)
        self._below_six = np.empty((rows, neurons), np.float32)

    def apply(self, sums: Float32s) -> None:
        super().apply(sums)
        np.minimum(sums, self._sixes, out=sums)

    def turn_into_slope(self, value: Float32s) -> None:
        np.subtract(self._sixes, value, self._below_six)
        np.sign(self._below_six, self._below_six)
        super().turn_into_slope(value)
        np.multiply(value, self._below_six, value)


class _Layer:
    """Buffers and views of one layer for one batch size. Products have the axis to be summed first."""

    def __init__(self, block: Float32s, gradient: Float32s, rows: int, activation: HiddenActivation) -> None:
        inputs, neurons = block.shape[0] - 1, block.shape[1]
        self.gradient = gradient
        self.activation = (_Relu6 if activation == "relu6" else _Relu)(rows, neurons)
        self.kernel_rows = block[:, None, :]
        self.kernel_columns = block[:-1].T[:, None, :]
        self.forward = np.empty((inputs + 1, rows, neurons), np.float32)
        self.outer = np.empty((rows, inputs + 1, neurons), np.float32)
        self.back = np.empty((neurons, rows, inputs), np.float32)
        self.sums, self.delta = (np.zeros((rows, neurons), np.float32) for _ in range(2))
        self.delta_rows = self.delta[:, None, :]
        self.delta_columns = self.delta.T[:, :, None]
        self.output = np.ones((rows, neurons + 1), np.float32)
        self.active = self.output[:, :-1]
        self.output_columns = self.output.T[:, :, None]
        self.output_rows = self.output[:, :, None]


class BatchStep:
    """Forward and backward pass over one batch of ``rows``, between blocks of weights and of gradients."""

    def __init__(self, blocks: Blocks, gradients: Blocks, rows: int, activation: HiddenActivation) -> None:
        pairs = zip(blocks, gradients, strict=True)
        *self._hidden, self._last = [_Layer(*pair, rows, activation) for pair in pairs]
        self._backwards = list(zip(self._hidden[::-1], [self._last, *self._hidden[:0:-1]], strict=True))
        self._mean_factor = np.full((rows, 1), 2 / rows, np.float32)

    def gradients(self, x: Float32s, y: Float32s, errors: Float32s) -> None:
        """Fill the gradients of the mean squared error, and ``errors`` [rows, 1] with prediction - y.

        ``x`` [rows, 2] holds each value and a 1, ``y`` is [rows, 1].
        """
        columns = x.T[:, :, None]
        for layer in self._hidden:
            np.multiply(columns, layer.kernel_rows, layer.forward)
            np.add.reduce(layer.forward, axis=0, out=layer.sums)
            layer.activation.apply(layer.sums)
            layer.active[...] = layer.sums
            columns = layer.output_columns
        last = self._last
        np.multiply(columns, last.kernel_rows, last.forward)
        np.add.reduce(last.forward, axis=0, out=last.sums)
        np.subtract(last.sums, y, errors)
        np.multiply(errors, self._mean_factor, last.delta)
        self._backward(x)

    def _backward(self, x: Float32s) -> None:
        for below, layer in self._backwards:
            _sum_outer(below.output_rows, layer)
            np.multiply(layer.delta_columns, layer.kernel_columns, layer.back)
            np.add.reduce(layer.back, axis=0, out=below.delta)
            below.activation.turn_into_slope(below.sums)
            np.multiply(below.delta, below.sums, below.delta)
        _sum_outer(x[:, :, None], self._hidden[0])


def _sum_outer(value_rows: Float32s, layer: _Layer) -> None:
    np.multiply(value_rows, layer.delta_rows, layer.outer)
    np.add.reduce(layer.outer, axis=0, out=layer.gradient)
