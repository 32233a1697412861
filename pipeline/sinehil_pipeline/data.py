"""The book's samples: a noisy sine, shuffled and split, bit for bit."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sinehil_pipeline.config import Recipe

Float32s = NDArray[np.float32]
Float64s = NDArray[np.float64]


@dataclass(frozen=True)
class Split:
    """Pairs of one role in the data; ``x`` (radians) and ``y`` have shape [n]."""

    x: Float32s
    y: Float32s


@dataclass(frozen=True)
class Dataset:
    """What the models see, float32, in the order the shuffle left it."""

    train: Split
    validation: Split
    test: Split

    def splits(self) -> Iterator[tuple[str, Split]]:
        """Yield name and pairs of each split, in the order they are stored."""
        yield from (("train", self.train), ("validation", self.validation), ("test", self.test))


def draw_samples(recipe: Recipe) -> tuple[Float64s, Float64s]:
    """Return x and noisy y as the book draws them: uniform, shuffle, sin, randn, from one legacy stream."""
    stream = np.random.RandomState(recipe.seed)
    x = stream.uniform(low=0, high=2 * math.pi, size=recipe.samples)
    stream.shuffle(x)
    y = np.sin(x)
    y += recipe.noise * stream.randn(*y.shape)
    return x, y


def make_dataset(recipe: Recipe) -> Dataset:
    """Draw the samples and cut them into training, validation and test data."""
    x, y = (values.astype(np.float32) for values in draw_samples(recipe))
    train_end = int(recipe.train_fraction * recipe.samples)
    validation_end = int(recipe.validation_fraction * recipe.samples + train_end)
    cuts = [train_end, validation_end]
    return Dataset(*(Split(*pair) for pair in zip(np.split(x, cuts), np.split(y, cuts), strict=True)))


def samples_csv(dataset: Dataset) -> str:
    """Return ``x,y,split`` lines; the decimals give back the same float32."""
    lines = ["x,y,split"]
    for name, split in dataset.splits():
        lines += [f"{x!s},{y!s},{name}" for x, y in zip(split.x, split.y, strict=True)]
    return "\n".join(lines) + "\n"
