import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sinehil_pipeline import portable
from sinehil_pipeline.config import ModelRecipe
from sinehil_pipeline.data import Dataset, make_dataset
from sinehil_pipeline.recipes import load_recipe

BOOK = load_recipe("book")

EPOCHS = 40
FORTY = replace(BOOK.final, epochs=EPOCHS)
NAMES = ("hidden_1_kernel", "hidden_1_bias", "hidden_2_kernel", "hidden_2_bias", "y_kernel", "y_bias")
KERAS_TIMEOUT_S = 120


@pytest.fixture(scope="module")
def data() -> Dataset:
    return make_dataset(BOOK)


def start(recipe: ModelRecipe, seed: int = 137) -> tuple[np.ndarray, ...]:
    return portable.initial_weights(recipe, np.random.RandomState(seed))


@pytest.fixture(scope="module")
def keras_fit(data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    """Keras' weights and history after the same epochs from the same start, unshuffled."""
    given, found = (tmp_path_factory.mktemp("keras") / name for name in ("given.npz", "found.npz"))
    pairs = {"x_train": data.train.x, "y_train": data.train.y}
    pairs |= {"x_validation": data.validation.x, "y_validation": data.validation.y}
    np.savez(given, epochs=EPOCHS, **pairs, **dict(zip(NAMES, start(FORTY), strict=True)))
    script = Path(__file__).with_name("book_keras.py")
    command = [sys.executable, str(script), str(given), str(found)]
    subprocess.run(command, check=True, capture_output=True, timeout=KERAS_TIMEOUT_S)
    return dict(np.load(found))


def worst(weights: tuple[np.ndarray, ...], keras_fit: dict[str, np.ndarray]) -> float:
    differences = (np.abs(ours - keras_fit[name]).max() for name, ours in zip(NAMES, weights, strict=True))
    return float(max(differences))


def test_every_weight_agrees_with_keras(data: Dataset, keras_fit: dict[str, np.ndarray]) -> None:
    fit = portable.fit(FORTY, data, 137, shuffle=False)
    assert worst(fit.weights, keras_fit) < 1e-6
    assert worst(start(FORTY), keras_fit) > 0.01, "it must have learnt something"


def test_the_history_agrees_with_keras(data: Dataset, keras_fit: dict[str, np.ndarray]) -> None:
    history = portable.fit(FORTY, data, 137, shuffle=False).history
    names = {"mse": "loss", "mae": "mae", "val_mse": "val_loss", "val_mae": "val_mae"}
    for ours, theirs in names.items():
        np.testing.assert_allclose(getattr(history, ours), keras_fit[theirs], rtol=1e-5)


def test_another_optimizer_constant_does_not_agree(
    data: Dataset, keras_fit: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(portable, "EPSILON", 1e-6)
    assert worst(portable.fit(FORTY, data, 137, shuffle=False).weights, keras_fit) > 1e-6


def test_shuffled_batches_do_not_agree(data: Dataset, keras_fit: dict[str, np.ndarray]) -> None:
    assert worst(portable.fit(FORTY, data, 137, initial=start(FORTY)).weights, keras_fit) > 1e-3


def test_sums_over_the_first_axis_are_in_order() -> None:
    """What the module relies on: np.add.reduce(axis=0) into ``out`` is one addition after the other."""
    stream = np.random.RandomState(1)
    for shape in ((17, 16, 16), (17, 8, 16), (16, 17, 16), (8, 17, 16), (17, 16, 1), (17, 8, 1), (16, 2, 16)):
        values = stream.randn(*shape).astype(np.float32)
        ordered = values[0].copy()
        for part in values[1:]:
            ordered = ordered + part
        found = np.add.reduce(values, axis=0, out=np.empty(shape[1:], np.float32))
        assert found.tobytes() == ordered.tobytes(), shape
        backwards = np.add.reduce(values[::-1].copy(), axis=0)
        assert backwards.tobytes() != ordered.tobytes(), "another order must be noticed"


def test_initial_weights_are_glorot_uniform() -> None:
    wide = ModelRecipe("wide", (300, 300), epochs=1, batch_size=16)
    kernels, biases = start(wide)[0::2], start(wide)[1::2]
    for kernel, (inputs, neurons) in zip(kernels, portable.layer_shapes(wide), strict=True):
        limit = np.sqrt(6 / (inputs + neurons))
        assert kernel.shape == (inputs, neurons)
        assert np.abs(kernel).max() <= limit
        assert np.abs(kernel).max() > 0.9 * limit
    assert not any(bias.any() for bias in biases)


def test_equal_seeds_give_equal_bytes_and_others_do_not(data: Dataset) -> None:
    once, again, other = (portable.fit(replace(FORTY, epochs=3), data, seed) for seed in (137, 137, 138))
    assert all(a.tobytes() == b.tobytes() for a, b in zip(once.weights, again.weights, strict=True))
    assert any(a.tobytes() != b.tobytes() for a, b in zip(once.weights, other.weights, strict=True))


def test_progress_ends_at_the_last_epoch_even_if_it_is_no_round_number(data: Dataset) -> None:
    heard: list[tuple[int, float]] = []
    fit = portable.fit(replace(FORTY, epochs=23), data, 137, lambda *done: heard.append(done))
    assert [epoch for epoch, _ in heard] == [20, 23]
    assert heard[-1][1] == fit.history.final_val_mse
    assert len(fit.history.val_mse) == 23
