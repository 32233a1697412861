"""The firmware's C++ against the vectors that the Python implementation meets too."""

import subprocess
from pathlib import Path

import pytest
from native_link import Build

VECTORS = Path(__file__).parents[1] / "vectors"


@pytest.fixture(scope="session")
def runner(build: Build) -> Path:
    return build(["protocol.cpp", "plot_line.cpp", "crc32.c"], ["vector_runner.cpp"])


@pytest.fixture(scope="session")
def wide_runner(build: Build) -> Path:
    """The same, compiled for the longest frames there are."""
    sources = ["protocol.cpp", "plot_line.cpp", "crc32.c"]
    return build(sources, ["vector_runner.cpp"], ("SINEHIL_INPUTS=64", "SINEHIL_OUTPUTS=64"))


def run(runner: Path, kind: str, vectors: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([runner, kind, vectors], capture_output=True, text=True)


@pytest.mark.parametrize("kind", ["crc32", "frames", "replies", "streams", "plot_lines", "brightness"])
def test_every_vector_holds(runner: Path, kind: str) -> None:
    done = run(runner, kind, VECTORS / f"{kind}.txt")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith(" 0 failed\n")


@pytest.mark.parametrize("name", ["crc32", "frames", "long_frames"])
def test_every_vector_holds_in_the_widest_firmware(wide_runner: Path, name: str) -> None:
    done = run(wide_runner, name.removeprefix("long_"), VECTORS / f"{name}.txt")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_wrong_long_frame_is_noticed(wide_runner: Path, tmp_path: Path) -> None:
    altered = tmp_path / "altered.txt"
    altered.write_text((VECTORS / "long_frames.txt").read_text().replace("00ff04", "00fe04", 1))
    assert run(wide_runner, "frames", altered).stdout.endswith(" 1 failed\n")


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        ("crc32", "CBF43926", "CBF43927"),
        ("frames", "01 | 2C", "01 | 2D"),
        ("replies", "5CCDA0CB00", "57D83CF800"),
        ("streams", "| 0 | 2\n", "| 0 | 1\n"),
        ("plot_lines", "x:1.234", "x:1.235"),
        ("brightness", "0.5 | 192", "0.5 | 193"),
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
