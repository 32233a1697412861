"""Generate or load the samples, shuffle and split them; the same bits on every machine."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sinehil.model.arrays import Float32s, Float64s
from sinehil.model.targets import TARGETS, Target
from sinehil_pipeline.config import Recipe
from sinehil_pipeline.data.csv_samples import parse_csv

__all__ = ["Dataset", "Float32s", "Float64s", "Split", "draw_samples", "make_dataset", "samples_csv"]


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


def target_of(recipe: Recipe) -> Target | None:
    """Return the function behind the samples, or None where they come from a file."""
    return None if recipe.data.target is None else TARGETS[recipe.data.target]


def x_range(recipe: Recipe) -> tuple[float, float]:
    """Return the lowest and the highest x that the model is for."""
    target = target_of(recipe)
    if target is not None:
        return target.low, target.high
    x, _ = draw_samples(recipe)
    return float(x.min()), float(x.max())


def draw_samples(recipe: Recipe) -> tuple[Float64s, Float64s]:
    """Return x and y, shuffled: a file's rows, or as the book draws them from one legacy stream.

    The book's order: uniform x, shuffle, the function, normal noise.
    """
    stream = np.random.RandomState(recipe.seed)
    target = target_of(recipe)
    if target is None:
        x, y = parse_csv(recipe.data.csv or b"", "the recipe's data file")
        order = stream.permutation(len(x))
        return x[order], y[order]
    x = stream.uniform(low=target.low, high=target.high, size=recipe.samples)
    stream.shuffle(x)
    y = target.function(x)
    y += recipe.noise * stream.randn(*y.shape)
    return x, y


def split_ends(samples: int, train_fraction: float, validation_fraction: float) -> tuple[int, int]:
    """Return where the training data and the validation data end, rounded as the book rounds."""
    train_end = int(train_fraction * samples)
    return train_end, int(validation_fraction * samples + train_end)


def make_dataset(recipe: Recipe) -> Dataset:
    """Draw the samples and cut them into training, validation and test data."""
    x, y = (values.astype(np.float32) for values in draw_samples(recipe))
    cuts = split_ends(recipe.samples, recipe.train_fraction, recipe.validation_fraction)
    return Dataset(*(Split(*pair) for pair in zip(np.split(x, cuts), np.split(y, cuts), strict=True)))


def samples_csv(dataset: Dataset) -> str:
    """Return ``x,y,split`` lines; the decimals give back the same float32."""
    lines = ["x,y,split"]
    for name, split in dataset.splits():
        lines += [f"{x!s},{y!s},{name}" for x, y in zip(split.x, split.y, strict=True)]
    return "\n".join(lines) + "\n"
