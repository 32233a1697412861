"""What a model was made to compute: told by its manifest, and only of the very file that the manifest lists."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nets import random_net

from sinehil.base.manifest import (
    MANIFEST,
    QUANTIZED_MODEL,
    Manifest,
    QuantizationEntry,
    describe_files,
    write_manifest,
)
from sinehil.errors import ArtefactError
from sinehil.jobs.selection import select
from sinehil.model.targets import FROM_A_FILE, NO_MANIFEST, NOT_UNDERSTOOD, TARGETS, Aim, aim_of

COS = Aim(TARGETS["cos"])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An artefact folder with a model made for cos."""
    (tmp_path / QUANTIZED_MODEL).write_bytes(random_net(1).file())
    fill_manifest(tmp_path, {"data": {"target": "cos"}})
    return tmp_path


def fill_manifest(folder: Path, recipe: Mapping[str, Any]) -> None:
    entry = QuantizationEntry(0.1, 0)
    write_manifest(
        folder, Manifest(recipe, "portable", 1, (), "litert", entry, entry, {}, describe_files(folder))
    )


@pytest.mark.parametrize(
    ("recipe", "aim"),
    [
        ({"data": {"target": "cos"}}, COS),
        ({"data": {"file": "data/input.csv"}}, FROM_A_FILE),
        ({"data": {"file": "data/input.csv", "target": "cos"}}, FROM_A_FILE),
        ({}, Aim(TARGETS["sin"])),
        ({"data": {}}, Aim(TARGETS["sin"])),
    ],
)
def test_the_recipe_decides(recipe: Mapping[str, Any], aim: Aim) -> None:
    assert aim_of(recipe) == aim


@pytest.mark.parametrize(
    "data",
    [None, 5, "cos", ["file"], {"target": "tan"}, {"target": ["cos"]}, {"target": {}}, {"target": None}],
)
def test_what_no_recipe_says_names_no_function(data: object) -> None:
    assert aim_of({"data": data}) == NOT_UNDERSTOOD


@pytest.mark.parametrize(
    ("name", "low", "high", "label"),
    [
        ("sin", 0, 2 * math.pi, "[0, 2\u03c0]"),
        ("cos", 0, 2 * math.pi, "[0, 2\u03c0]"),
        ("sinc", -2 * math.pi, 2 * math.pi, "[\u22122\u03c0, 2\u03c0]"),
        ("gaussian", -4, 4, "[\u22124, 4]"),
    ],
)
def test_a_range_is_written_as_it_is(name: str, low: float, high: float, label: str) -> None:
    target = TARGETS[name]
    assert (target.low, target.high, target.range_label) == (low, high, label)
    assert target.range_text.isascii() and target.plain.isascii()
    ends = np.array([low, high], np.float32)
    assert target.covers(ends).all()
    assert not target.covers(np.nextafter(ends, np.array([-9, 9], np.float32))).any()


def test_a_folder_s_model_and_the_same_file_by_name_are_for_its_target(folder: Path) -> None:
    model = folder / QUANTIZED_MODEL
    assert select(folder).aim == select(Path("elsewhere"), model).aim == COS


def test_a_manifest_is_read_once(folder: Path) -> None:
    selection = select(folder)
    (folder / MANIFEST).write_text("not read again")
    assert selection.aim == COS
    with pytest.raises(ArtefactError, match="cannot be read"):
        select(folder)


def test_a_folder_without_manifest_is_refused(folder: Path) -> None:
    (folder / MANIFEST).unlink()
    with pytest.raises(ArtefactError, match="there is no"):
        select(folder)


@pytest.mark.parametrize("damage", ["missing", "damaged", "of another file", "of another name", "a folder"])
def test_a_manifest_that_does_not_list_the_file_says_nothing_of_it(folder: Path, damage: str) -> None:
    path, manifest = folder / QUANTIZED_MODEL, folder / MANIFEST
    match damage:
        case "missing":
            manifest.unlink()
        case "damaged":
            manifest.write_bytes(manifest.read_bytes()[:-20])
        case "of another file":
            path.write_bytes(random_net(2).file())
        case "of another name":
            path = path.rename(folder / "mine.tflite")
        case _:
            manifest.unlink()
            manifest.mkdir()
    assert select(folder, path).aim == NO_MANIFEST
