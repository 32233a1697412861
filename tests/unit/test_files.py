"""Writing leaves earlier files whole; the manifest believes nothing."""

import json
from pathlib import Path

import pytest

from sinehil.base.files import sha256_of, write_atomically
from sinehil.base.manifest import (
    MANIFEST,
    Manifest,
    QuantizationEntry,
    TrainingTry,
    checked_file,
    describe_files,
    read_manifest,
    write_manifest,
)
from sinehil.errors import ArtefactError


def fill(folder: Path) -> Manifest:
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "x.csv").write_text("1\n")
    manifest = Manifest(
        recipe={"name": "book"},
        trainer="portable",
        init_seed=137,
        tries=(TrainingTry(137, 0.01, True),),
        oracle="litert",
        input=QuantizationEntry(0.5, -128),
        output=QuantizationEntry(0.25, 3),
        versions={"numpy": "2"},
        files=describe_files(folder),
    )
    write_manifest(folder, manifest)
    return manifest


def test_manifest_round_trip(tmp_path: Path) -> None:
    manifest = fill(tmp_path)
    assert read_manifest(tmp_path) == manifest
    assert checked_file(tmp_path, manifest, "data/x.csv").read_text() == "1\n"


def test_an_altered_file_is_noticed(tmp_path: Path) -> None:
    manifest = fill(tmp_path)
    (tmp_path / "data/x.csv").write_text("2\n")
    with pytest.raises(ArtefactError, match="altered or truncated"):
        checked_file(tmp_path, manifest, "data/x.csv")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("schema", 99),
        ("files", {"../../etc/passwd": {"sha256": "", "bytes": 1}}),
        ("files", {"/etc/passwd": {"sha256": "", "bytes": 1}}),
        ("files", [1]),
        ("tries", None),
        ("input", {"scale": "x", "zero_point": 0}),
        ("input", {"scale": 1.0, "zero_point": 1e999}),
        ("versions", 3),
    ],
)
def test_hostile_manifests_are_refused(tmp_path: Path, key: str, value: object) -> None:
    fill(tmp_path)
    document = json.loads((tmp_path / MANIFEST).read_text()) | {key: value}
    (tmp_path / MANIFEST).write_text(json.dumps(document))
    with pytest.raises(ArtefactError, match="manifest"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("text", ["", "[" * 100_000, "\xff", "null", "x" * (2 << 20)])
def test_files_that_are_no_manifest(tmp_path: Path, text: str) -> None:
    (tmp_path / MANIFEST).write_text(text, encoding="latin-1")
    with pytest.raises(ArtefactError):
        read_manifest(tmp_path)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ArtefactError, match="cannot write"):
        write_atomically(tmp_path / "file" / "below", b"x")


def test_sha256(tmp_path: Path) -> None:
    (tmp_path / "abc").write_text("abc")
    assert sha256_of(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
