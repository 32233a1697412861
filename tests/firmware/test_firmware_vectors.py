"""The firmware's C++ against the vectors that the Python implementation meets too."""

import subprocess
from pathlib import Path

import pytest
from native_link import Build

VECTORS = Path(__file__).parents[1] / "vectors"


@pytest.fixture(scope="session")
def runner(build: Build) -> Path:
    return build(["protocol.cpp", "plot_line.cpp", "crc32.c"], ["vector_runner.cpp"])


def run(runner: Path, kind: str, vectors: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([runner, kind, vectors], capture_output=True, text=True)


@pytest.mark.parametrize("kind", ["crc32", "frames", "streams", "plot_lines"])
def test_every_vector_holds(runner: Path, kind: str) -> None:
    done = run(runner, kind, VECTORS / f"{kind}.txt")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith(" 0 failed\n")


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        ("crc32", "CBF43926", "CBF43927"),
        ("frames", "01 | 2C", "01 | 2D"),
        ("streams", "| 0 | 2\n", "| 0 | 1\n"),
    ],
)
def test_a_wrong_vector_is_noticed(runner: Path, kind: str, right: str, wrong: str, tmp_path: Path) -> None:
    text = (VECTORS / f"{kind}.txt").read_text()
    altered = tmp_path / "altered.txt"
    altered.write_text(text.replace(right, wrong))
    assert altered.read_text() != text
    done = run(runner, kind, altered)
    assert (done.returncode, done.stdout.splitlines()[-1][-8:]) == (1, "1 failed")


def test_a_missing_file_is_no_success(runner: Path, tmp_path: Path) -> None:
    assert run(runner, "frames", tmp_path / "none.txt").returncode == 1
