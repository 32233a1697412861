"""The portable trainer: Keras' RMSprop fit in NumPy, with the same bits on every x86-64 machine.

Only elementwise +, -, *, /, sqrt, maximum and sign are used, which IEEE 754 fixes to the last bit, and every sum
runs over the outermost axis of a C-contiguous array, where NumPy adds one slice after the other, in order. No BLAS,
no pairwise or SIMD reduction, no transcendental function.

A layer of n inputs and m neurons is one block of shape [n + 1, m]: the kernel's rows, then the bias as the weight of
an input that is always 1. All blocks are views of one flat vector, so that the optimizer is a few calls.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from sinehil_pipeline.config import ModelRecipe
from sinehil_pipeline.data import Dataset, Float32s, Float64s
from sinehil_pipeline.history import History, joined

# keras.optimizers.RMSprop() as Keras 3 has it.
LEARNING_RATE, RHO, EPSILON = 0.001, 0.9, 1e-7

# Validation looks back at this many epochs at once: the same numbers in far fewer calls.
EPOCHS_PER_REPORT = 20

OnEpoch = Callable[[int, float], None]


@dataclass(frozen=True)
class Fit:
    """A trained model: ``weights`` are kernel and bias of each layer in turn, as Keras orders them."""

    weights: tuple[Float32s, ...]
    history: History


def layer_shapes(recipe: ModelRecipe) -> list[tuple[int, int]]:
    """Return [inputs, neurons] of each layer."""
    return list(itertools.pairwise([1, *recipe.hidden, 1]))


def initial_weights(recipe: ModelRecipe, stream: np.random.RandomState) -> tuple[Float32s, ...]:
    """Draw Keras' default initialisation: Glorot-uniform kernels, zero biases."""
    weights: list[Float32s] = []
    for inputs, neurons in layer_shapes(recipe):
        limit = np.sqrt(6.0 / (inputs + neurons))
        kernel = limit * (2.0 * stream.random_sample((inputs, neurons)) - 1.0)
        weights += [kernel.astype(np.float32), np.zeros(neurons, np.float32)]
    return tuple(weights)


def fit(
    recipe: ModelRecipe,
    data: Dataset,
    seed: int,
    on_epoch: OnEpoch | None = None,
    initial: Sequence[Float32s] | None = None,
    shuffle: bool = True,
) -> Fit:
    """Train from what ``seed`` draws, or from ``initial`` weights; ``on_epoch`` hears of every few epochs.

    A training that diverges ends early, with a validation mse that is not finite.
    """
    stream = np.random.RandomState(seed)
    drawn = initial_weights(recipe, stream)
    trainer = _Trainer(recipe, drawn if initial is None else initial, len(data.train.x))
    records: list[History] = []
    with np.errstate(all="ignore"):
        for first in range(0, recipe.epochs, EPOCHS_PER_REPORT):
            epochs = min(EPOCHS_PER_REPORT, recipe.epochs - first)
            records.append(_run_epochs(trainer, data, epochs, stream if shuffle else None))
            if on_epoch is not None:
                on_epoch(first + epochs, records[-1].final_val_mse)
            if not np.isfinite(records[-1].final_val_mse):
                break
    return Fit(trainer.weights(), joined(records))


def predict(blocks: Sequence[Float32s], x: Float32s) -> Float32s:
    """Return y of shape [models, n] for x [n] and each layer's blocks, shape [models, inputs + 1, neurons]."""
    value = np.broadcast_to(x[None, :, None], (len(blocks[0]), len(x), 1))
    for index, block in enumerate(blocks):
        total = value[:, :, :1] * block[:, :1, :]
        for row in range(1, block.shape[1] - 1):
            total += value[:, :, row : row + 1] * block[:, row : row + 1, :]
        total += block[:, -1:, :]
        value = total if index == len(blocks) - 1 else np.maximum(total, 0.0)
    return value[:, :, 0]


class _Trainer:
    """Parameters, gradients and optimizer state of one model."""

    def __init__(self, recipe: ModelRecipe, weights: Sequence[Float32s], rows: int) -> None:
        self._shapes = layer_shapes(recipe)
        self.flat = np.concatenate([np.ravel(array) for array in weights]).astype(np.float32)
        self.gradient = np.zeros_like(self.flat)
        self._velocity, self._square, self._root = (np.zeros_like(self.flat) for _ in range(3))
        # As arrays: NumPy takes longer to broadcast a scalar than to multiply.
        self._constants = [np.full_like(self.flat, value) for value in (1 - RHO, RHO, EPSILON, LEARNING_RATE)]
        starts = range(0, rows, recipe.batch_size)
        self._batches = [slice(start, min(start + recipe.batch_size, rows)) for start in starts]
        self._steps = {size: _Step(self, size) for size in {part.stop - part.start for part in self._batches}}

    def blocks(self, flat: Float32s) -> list[Float32s]:
        """Return the layers' [..., n + 1, m] views of flat vectors [..., parameters]."""
        sizes = [(inputs + 1) * neurons for inputs, neurons in self._shapes]
        parts = np.split(flat, np.cumsum(sizes)[:-1], axis=-1)
        return [
            part.reshape(*flat.shape[:-1], inputs + 1, neurons)
            for part, (inputs, neurons) in zip(parts, self._shapes, strict=True)
        ]

    def weights(self) -> tuple[Float32s, ...]:
        """Return copies in Keras' order."""
        return tuple(array.copy() for block in self.blocks(self.flat) for array in (block[:-1], block[-1]))

    def epoch(self, x: Float32s, y: Float32s, errors: Float32s) -> None:
        """Go once over ``x`` [rows, 2] (value, 1) and ``y`` [rows, 1]; record prediction - y as met."""
        for part in self._batches:
            self._steps[part.stop - part.start].gradients(x[part], y[part], errors[part])
            self._update()

    def _update(self) -> None:
        """Take one RMSprop step: v = rho v + (1 - rho) g^2; w -= lr g / sqrt(v + eps)."""
        gradient, velocity, square, root = self.gradient, self._velocity, self._square, self._root
        one_minus_rho, rho, epsilon, learning_rate = self._constants
        np.multiply(gradient, gradient, square)
        np.multiply(square, one_minus_rho, square)
        np.multiply(velocity, rho, velocity)
        np.add(velocity, square, velocity)
        np.add(velocity, epsilon, root)
        np.sqrt(root, root)
        np.multiply(gradient, learning_rate, gradient)
        np.divide(gradient, root, gradient)
        np.subtract(self.flat, gradient, self.flat)


class _Layer:
    """Buffers and views of one layer for one batch size. Products have the axis to be summed first."""

    def __init__(self, block: Float32s, gradient: Float32s, rows: int) -> None:
        inputs, neurons = block.shape[0] - 1, block.shape[1]
        self.gradient = gradient
        self.kernel_rows = block[:, None, :]
        self.kernel_columns = block[:-1].T[:, None, :]
        self.forward = np.empty((inputs + 1, rows, neurons), np.float32)
        self.outer = np.empty((rows, inputs + 1, neurons), np.float32)
        self.back = np.empty((neurons, rows, inputs), np.float32)
        self.sums, self.delta, self.zeros = (np.zeros((rows, neurons), np.float32) for _ in range(3))
        self.delta_rows = self.delta[:, None, :]
        self.delta_columns = self.delta.T[:, :, None]
        self.output = np.ones((rows, neurons + 1), np.float32)
        self.active = self.output[:, :-1]
        self.output_columns = self.output.T[:, :, None]
        self.output_rows = self.output[:, :, None]


class _Step:
    """Forward and backward pass over one batch."""

    def __init__(self, trainer: _Trainer, rows: int) -> None:
        pairs = zip(trainer.blocks(trainer.flat), trainer.blocks(trainer.gradient), strict=True)
        *self._hidden, self._last = [_Layer(block, gradient, rows) for block, gradient in pairs]
        self._backwards = list(zip(self._hidden[::-1], [self._last, *self._hidden[:0:-1]], strict=True))
        self._mean_factor = np.full((rows, 1), 2 / rows, np.float32)

    def gradients(self, x: Float32s, y: Float32s, errors: Float32s) -> None:
        """Fill the gradients of the mean squared error, and ``errors`` [rows, 1] with prediction - y."""
        columns = x.T[:, :, None]
        for layer in self._hidden:
            np.multiply(columns, layer.kernel_rows, layer.forward)
            np.add.reduce(layer.forward, axis=0, out=layer.sums)
            np.maximum(layer.sums, layer.zeros, out=layer.sums)
            layer.active[...] = layer.sums
            columns = layer.output_columns
        last = self._last
        np.multiply(columns, last.kernel_rows, last.forward)
        np.add.reduce(last.forward, axis=0, out=last.sums)
        np.subtract(last.sums, y, errors)
        np.multiply(errors, self._mean_factor, last.delta)
        for below, layer in self._backwards:
            _sum_outer(below.output_rows, layer)
            np.multiply(layer.delta_columns, layer.kernel_columns, layer.back)
            np.add.reduce(layer.back, axis=0, out=below.delta)
            np.sign(below.sums, below.sums)
            np.multiply(below.delta, below.sums, below.delta)
        _sum_outer(x[:, :, None], self._hidden[0])


def _sum_outer(value_rows: Float32s, layer: _Layer) -> None:
    np.multiply(value_rows, layer.delta_rows, layer.outer)
    np.add.reduce(layer.outer, axis=0, out=layer.gradient)


def _run_epochs(
    trainer: _Trainer, data: Dataset, epochs: int, stream: np.random.RandomState | None
) -> History:
    rows = len(data.train.x)
    x, y = np.stack([data.train.x, np.ones(rows, np.float32)], axis=1), data.train.y[:, None]
    errors = np.empty((epochs, rows, 1), np.float32)
    snapshots = np.empty((epochs, trainer.flat.size), np.float32)
    for epoch in range(epochs):
        order = np.arange(rows) if stream is None else stream.permutation(rows)
        trainer.epoch(x[order], y[order], errors[epoch])
        snapshots[epoch] = trainer.flat
    val_errors = predict(trainer.blocks(snapshots), data.validation.x) - data.validation.y
    return History(*_mse_mae(errors[:, :, 0]), *_mse_mae(val_errors))


def _mse_mae(errors: Float32s) -> Iterator[Float32s]:
    """Yield mean square and mean magnitude of [epochs, n] along n, added in order, in float64."""
    wide = np.ascontiguousarray(errors.T, np.float64)
    for values in (wide * wide, np.abs(wide)):
        yield (_ordered_sum(values) / len(wide)).astype(np.float32)


def _ordered_sum(values: Float64s) -> Float64s:
    total: Float64s = np.zeros_like(values[0])
    for row in values:
        total += row
    return total
