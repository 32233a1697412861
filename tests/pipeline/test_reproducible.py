"""Equal commit and seed give equal .tflite files, whatever the CPU offers."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests import cpu
from training_runs import Run

from sinehil.base.manifest import read_manifest

TIMEOUT_S = 300
PROGRAM = """
import json, sys
from pathlib import Path
from sinehil.base.workers import Silence
from sinehil_pipeline.recipes import load_recipe
from sinehil_pipeline.run import train
from tests.cpu import simd_levels
summary = train(load_recipe("book"), Path(sys.argv[1]), "portable", Silence())
found = {"float": summary.lite.sha256, "int8": summary.quantized.sha256, "levels": simd_levels()}
print(json.dumps(found))
"""

# What these versions make of the book's recipe on every x86-64 machine; renewed together with the lock.
PINNED_TENSORFLOW = "2.21.0"
PINNED = {
    "sine_model.tflite": "ff91b9dcf248514c245694e8ce8bac7e30458223b5602ce6b6fce273f9a9b3ba",
    "sine_model_quantized.tflite": "54959a2838fbfb867327eca5200b726ef01538cf96fdadba86cee5f747fef505",
}


def fresh_training(folder: Path, environment: dict[str, str]) -> dict[str, str | list[str]]:
    found = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folder)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=TIMEOUT_S,
    )
    answer: dict[str, str | list[str]] = json.loads(found.stdout)
    return answer


def test_the_files_are_those_of_every_other_machine(book_run: Run) -> None:
    manifest = read_manifest(book_run.folder)
    assert manifest.versions["tensorflow"] == PINNED_TENSORFLOW, "another converter: renew the pins"
    assert {name: manifest.files[name].sha256 for name in PINNED} == PINNED


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["old", "other"])
def test_the_files_do_not_depend_on_the_cpu(book_run: Run, tmp_path: Path, kind: str) -> None:
    old = cpu.OLD | cpu.without_simd(cpu.simd_levels())
    found = fresh_training(tmp_path, old if kind == "old" else cpu.OTHER)
    assert found["levels"] == ([] if kind == "old" else cpu.simd_levels()), "the switches must have worked"
    assert found["float"] == book_run.summary.lite.sha256
    assert found["int8"] == book_run.summary.quantized.sha256
    page = "training.html"  # it has every other file's hash in it
    assert (tmp_path / page).read_bytes() == (book_run.folder / page).read_bytes()


@pytest.mark.slow
def test_nothing_generated_carries_a_time_or_a_path(book_run: Run, tmp_path: Path) -> None:
    fresh_training(tmp_path, {})
    for path in (item for item in book_run.folder.rglob("*") if item.is_file()):
        name = path.relative_to(book_run.folder)
        assert (tmp_path / name).read_bytes() == path.read_bytes(), name
        assert str(book_run.folder).encode() not in path.read_bytes(), name
