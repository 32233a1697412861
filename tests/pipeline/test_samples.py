import csv
import io
import math

import numpy as np
import pytest

from sinehil_pipeline.config import BOOK
from sinehil_pipeline.data import draw_samples, make_dataset, samples_csv


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


def test_no_sample_is_near_a_rounding_boundary() -> None:
    """So sin and log of any C library, a few float64 ulps apart, give the same float32 samples."""
    for values in draw_samples(BOOK):
        rounded = values.astype(np.float32)
        gaps = [
            np.abs(values - (rounded.astype(np.float64) + np.nextafter(rounded, np.float32(end))) / 2)
            for end in (-np.inf, np.inf)
        ]
        assert (np.minimum(*gaps) / np.spacing(np.abs(values))).min() > 1000


def test_csv_gives_back_the_same_float32() -> None:
    data = make_dataset(BOOK)
    rows = list(csv.DictReader(io.StringIO(samples_csv(data))))
    for name, split in data.splits():
        read = np.array([[row["x"], row["y"]] for row in rows if row["split"] == name], np.float32)
        assert read.tobytes() == np.stack([split.x, split.y], axis=1).tobytes()
