"""Other targets than sin on the board: what is told is held against the function that the model was made for."""

import json
import math
import re
from pathlib import Path

import pytest

from tests.bench.conftest import Bench
from tests.html_page import Page

SHORT = ("baseline.epochs=2", "final.epochs=20", "gate.max_val_mse=10")
pytestmark = pytest.mark.board


def file_samples(folder: Path) -> Path:
    """Write samples of a function that no recipe names."""
    path = folder / "samples.csv"
    rows = [f"{x / 20},{x / 50 + math.sin(x / 30)}" for x in range(300)]
    path.write_text("\n".join(["x,y", *rows, ""]))
    return path


def flashed_with(bench: Bench, folder: Path, *words: object) -> list[object]:
    """Train briefly with ``words``, put the model onto the board, and return what names its artefacts."""
    settings = [word for setting in SHORT for word in ("--set", setting)]
    done = bench.cli("train", "--out", folder, *settings, *words)
    assert done.returncode == 0, done.stderr
    where = ["--artifacts", folder, "--build", bench.build]
    done = bench.cli("flash", "--port", bench.port, *where)
    assert done.returncode == 0, done.stderr
    return where


def table_of(printed: str) -> tuple[str, list[list[float]]]:
    """Return the heading and the rows of what ``--mode samples`` prints."""
    heading, *lines = printed.split("\n\n")[0].strip().splitlines()
    return heading, [[float(word) for word in line.split()] for line in lines]


def test_samples_of_a_cos_model_stand_beside_cos(virtual: Bench, tmp_path: Path) -> None:
    where = flashed_with(virtual, tmp_path / "cos", "--set", "data.target=cos")
    words = ["--mode", "samples", "--samples", 7, "--report", tmp_path / "report"]
    done = virtual.cli("verify", "--port", virtual.port, *where, *words)
    assert done.returncode == 0 and "\nPASS  7 of 7" in done.stdout, done.stderr
    heading, rows = table_of(done.stdout)
    assert re.split(r" {2,}", heading.strip()) == ["x", "device y", "interpreter", "cos x", "y - cos x"]
    assert [row[0] for row in rows] == pytest.approx([n * math.pi / 3 for n in range(7)], abs=1e-6)
    for x, device_y, oracle_y, exact, error in rows:
        assert device_y == oracle_y and exact == pytest.approx(math.cos(x), abs=1e-6)
        assert error == pytest.approx(device_y - math.cos(x), abs=2e-6)
    page = Page((tmp_path / "report/report.html").read_text(encoding="utf-8")).text
    assert "largest distance from cos x" in page and "sin x" not in page
    document = json.loads((tmp_path / "report/report.json").read_bytes())
    worst = max(abs(row[4]) for row in rows)
    assert document["target"]["max_abs_error"] == pytest.approx(worst, abs=2e-6) and document["sine"] is None


def test_samples_of_a_model_of_a_file_stand_alone(virtual: Bench, tmp_path: Path) -> None:
    where = flashed_with(virtual, tmp_path / "file", "--data", file_samples(tmp_path))
    words = ["--mode", "samples", "--samples", 5, "--report", tmp_path / "report"]
    done = virtual.cli("verify", "--port", virtual.port, *where, *words)
    assert done.returncode == 0 and "\nPASS  5 of 5" in done.stdout, done.stderr
    heading, rows = table_of(done.stdout)
    assert re.split(r" {2,}", heading.strip()) == ["x", "device y", "interpreter"]
    assert len(rows) == 5 and all(device_y == oracle_y for _, device_y, oracle_y in rows)
    assert "not known: its samples came from a file" in done.stdout
    document = json.loads((tmp_path / "report/report.json").read_bytes())
    assert document["target"] is document["sine"] is None


def test_a_model_by_name_is_for_what_the_manifest_beside_it_says_of_it(
    flashed: Bench, tmp_path: Path
) -> None:
    """Beside its manifest, beside one that lists another file, and alone: PASS each time, with and without target."""
    model = flashed.artifacts / "sine_model_quantized.tflite"
    other, alone = (tmp_path / name / model.name for name in ("other", "alone"))
    manifest = json.loads((flashed.artifacts / "manifest.json").read_bytes())
    manifest["files"][model.name]["sha256"] = 64 * "0"
    for path in (other, alone):
        path.parent.mkdir()
        path.write_bytes(model.read_bytes())
    other.with_name("manifest.json").write_text(json.dumps(manifest))
    told = []
    for path in (model, other, alone):
        words = ["--model", path, "--build", flashed.build, "--json"]
        done = flashed.cli("verify", "--port", flashed.port, *words)
        assert done.returncode == 0, done.stderr
        document = json.loads(done.stdout)
        assert document["verdict"] == "PASS"
        told.append((document["target"] and document["target"]["name"], document["compared"]))
        assert ("no manifest beside the file" in done.stderr) is (path is not model)
    assert told == [("sin", 790), (None, 788), (None, 788)]
