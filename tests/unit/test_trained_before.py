"""`sinehil demo` does not train what is there already, and trains whatever is not exactly that."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sinehil.base.manifest import (
    MANIFEST,
    QUANTIZED_MODEL,
    Manifest,
    QuantizationEntry,
    describe_files,
    write_manifest,
)
from sinehil.jobs.training import TRAINED_RECORD, _is_trained, _record_of, _remember
from sinehil_pipeline.recipes import load_recipe, parse_override

BOOK = load_recipe("book")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SINEHIL_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def trained(tmp_path: Path, cache: Path) -> Path:
    cache.mkdir()
    folder = tmp_path / "artifacts"
    folder.mkdir()
    (folder / QUANTIZED_MODEL).write_bytes(b"a model")
    fill_manifest(folder, "1")
    _remember(folder, _record_of(BOOK, "portable"))
    return folder


def fill_manifest(folder: Path, version: str) -> None:
    entry = QuantizationEntry(0.1, 0)
    files = describe_files(folder)
    write_manifest(
        folder,
        Manifest(BOOK.as_dict(), "portable", 1, (), "litert", entry, entry, {"numpy": version}, files),
    )


def test_what_is_there_byte_for_byte_is_not_trained_again(trained: Path) -> None:
    assert _is_trained(trained, _record_of(BOOK, "portable"))


DAMAGES: dict[str, Callable[[Path], object]] = {
    "a changed file": lambda folder: (folder / QUANTIZED_MODEL).write_bytes(b"A model"),
    "a lost file": lambda folder: (folder / QUANTIZED_MODEL).unlink(),
    "no manifest": lambda folder: (folder / MANIFEST).unlink(),
    "another manifest": lambda folder: fill_manifest(folder, "2"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_folder_that_is_not_as_it_was_left_is_filled_again(trained: Path, damage: str) -> None:
    DAMAGES[damage](trained)
    assert not _is_trained(trained, _record_of(BOOK, "portable"))


def test_other_causes_train_again(trained: Path) -> None:
    record = _record_of(BOOK, "portable")
    other = load_recipe("book", [parse_override("seed=138")])
    assert not _is_trained(trained, _record_of(other, "portable"))
    assert not _is_trained(trained, _record_of(BOOK, "keras"))
    for key in record:
        assert not _is_trained(trained, {**record, key: "another"}), key


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff", b"[" * 4000, b" " * 5000])
def test_a_damaged_record_trains_again(trained: Path, cache: Path, content: bytes) -> None:
    (cache / TRAINED_RECORD).write_bytes(content)
    assert not _is_trained(trained, _record_of(BOOK, "portable"))


def test_a_cache_that_cannot_be_written_fails_nothing(trained: Path, cache: Path) -> None:
    (cache / TRAINED_RECORD).unlink()
    (cache / TRAINED_RECORD).mkdir()
    _remember(trained, _record_of(BOOK, "portable"))
    assert not _is_trained(trained, _record_of(BOOK, "portable"))
