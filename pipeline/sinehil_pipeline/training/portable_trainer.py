"""Train a model in NumPy as Keras' fit does, with the same bits on every x86-64 machine.

Only elementwise +, -, *, /, sqrt, maximum and sign are used, which IEEE 754 fixes to the last bit, and every sum
runs over the outermost axis of a C-contiguous array, where NumPy adds one slice after the other, in order. No BLAS,
no pairwise or SIMD reduction, no transcendental function.

The blocks of all layers (see ``gradients``) are views of one flat vector, so that the optimizer is a few calls.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from sinehil.model.arrays import Float32s, Float64s
from sinehil_pipeline.config import ModelRecipe
from sinehil_pipeline.data.samples import Dataset
from sinehil_pipeline.training.gradients import BatchStep, predict
from sinehil_pipeline.training.history import History, joined
from sinehil_pipeline.training.initialisation import initial_weights, layer_shapes
from sinehil_pipeline.training.optimizers import make_rule, step_sizes

# Validation looks back at this many epochs at once: the same numbers in far fewer calls.
EPOCHS_PER_REPORT = 20

OnEpoch = Callable[[int, float], None]


@dataclass(frozen=True)
class Fit:
    """A trained model: ``weights`` are kernel and bias of each layer in turn, as Keras orders them."""

    weights: tuple[Float32s, ...]
    history: History


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
    drawn = initial_weights(recipe, stream, data.train.x)
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


class _Trainer:
    """Parameters, gradients and optimizer state of one model."""

    def __init__(self, recipe: ModelRecipe, weights: Sequence[Float32s], rows: int) -> None:
        self._shapes, self.activation = layer_shapes(recipe), recipe.activation
        self.flat = np.concatenate([np.ravel(array) for array in weights]).astype(np.float32)
        self._gradient = np.zeros_like(self.flat)
        starts = range(0, rows, recipe.batch_size)
        self._batches = [slice(start, min(start + recipe.batch_size, rows)) for start in starts]
        self._steps = {size: self._step(size) for size in {part.stop - part.start for part in self._batches}}
        self._rule = make_rule(recipe.optimizer.name, self.flat.size)
        self._step_sizes = iter(step_sizes(recipe.optimizer, recipe.epochs * len(self._batches)))
        self._step_size = np.zeros((), np.float32)

    def _step(self, rows: int) -> BatchStep:
        return BatchStep(self.blocks(self.flat), self.blocks(self._gradient), rows, self.activation)

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
            self._step_size[...] = next(self._step_sizes)
            self._rule.update(self.flat, self._gradient, self._step_size)


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
    blocks = trainer.blocks(snapshots)
    val_errors = predict(blocks, data.validation.x, trainer.activation) - data.validation.y
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
