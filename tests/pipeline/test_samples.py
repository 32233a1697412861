import csv
import io
import math

import numpy as np
import pytest

from sinehil.model.targets import TARGETS
from sinehil_pipeline.data.samples import draw_samples, make_dataset, samples_csv, x_range
from sinehil_pipeline.recipes import BUILT_IN, load_recipe, parse_override

BOOK = load_recipe("book")


def books_samples(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Chapter 4, cell for cell, on the global stream."""
    np.random.seed(seed)
    x_values = np.random.uniform(low=0, high=2 * math.pi, size=1000)
    np.random.shuffle(x_values)
    y_values = np.sin(x_values)
    y_values += 0.1 * np.random.randn(*y_values.shape)
    return x_values, y_values


def test_the_samples_are_the_books() -> None:
    for ours, theirs in zip(draw_samples(BOOK), books_samples(137), strict=True):
        assert ours.tobytes() == theirs.tobytes()


def test_another_seed_gives_other_samples() -> None:
    assert not np.array_equal(draw_samples(BOOK)[0], books_samples(138)[0])


def test_the_first_samples_are_these() -> None:
    data = make_dataset(BOOK)
    assert data.train.x[:3].tolist() == pytest.approx([5.3030386, 2.686953, 3.769421], abs=1e-6)
    assert data.train.y[:3].tolist() == pytest.approx([-0.86731386, 0.5764735, -0.6994306], abs=1e-6)


def test_the_split_keeps_every_sample_in_its_place() -> None:
    data, (x, y) = make_dataset(BOOK), draw_samples(BOOK)
    assert [len(split.x) for _, split in data.splits()] == [600, 200, 200]
    assert np.array_equal(np.concatenate([s.x for _, s in data.splits()]), x.astype(np.float32))
    assert np.array_equal(np.concatenate([s.y for _, s in data.splits()]), y.astype(np.float32))


@pytest.mark.parametrize("target", sorted(TARGETS))
@pytest.mark.parametrize("name", BUILT_IN)
def test_no_sample_is_near_a_rounding_boundary(name: str, target: str) -> None:
    """So the functions and log of any C library, a few float64 ulps apart, give the same float32 samples."""
    recipe = load_recipe(name, [parse_override(f"data.target={target}")])
    for values in draw_samples(recipe):
        rounded = values.astype(np.float32)
        gaps = [
            np.abs(values - (rounded.astype(np.float64) + np.nextafter(rounded, np.float32(end))) / 2)
            for end in (-np.inf, np.inf)
        ]
        # The sum of y and noise is as uncertain as its larger part, which may be larger than the sum.
        assert (np.minimum(*gaps) / np.spacing(np.maximum(np.abs(values), 1))).min() > 16


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_each_target_is_its_own_formula_over_its_range(target: str) -> None:
    oracle = {
        "sin": math.sin,
        "cos": math.cos,
        "sinc": lambda x: math.sin(x) / x if x else 1.0,
        "gaussian": lambda x: math.exp(-x * x / 2),
    }[target]
    recipe = load_recipe("book", [parse_override(f"data.target={target}"), parse_override("noise=0")])
    (x, y), (low, high) = draw_samples(recipe), x_range(recipe)
    assert y.tolist() == pytest.approx([oracle(value) for value in x], abs=1e-15)
    assert low <= x.min() < low + 0.05 and high - 0.05 < x.max() <= high


def test_csv_gives_back_the_same_float32() -> None:
    data = make_dataset(BOOK)
    rows = list(csv.DictReader(io.StringIO(samples_csv(data))))
    for name, split in data.splits():
        read = np.array([[row["x"], row["y"]] for row in rows if row["split"] == name], np.float32)
        assert read.tobytes() == np.stack([split.x, split.y], axis=1).tobytes()
