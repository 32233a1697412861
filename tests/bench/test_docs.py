"""Every command line in README and CONTRIBUTING runs, or is marked as needing a real board."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.bench.conftest import Bench

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.board


def commands(document: str, kind: str) -> list[str]:
    blocks = re.findall(
        rf"^```{re.escape(kind)}\n(.*?)^```", (ROOT / document).read_text(), re.DOTALL | re.MULTILINE
    )
    return [line for block in blocks for line in block.splitlines()]


README = commands("README.md", "sh")


def test_readme_has_its_two_commands_first() -> None:
    assert README[:2] == ["make demo", "make test"]


@pytest.mark.parametrize("line", [line for line in README if line.startswith("make ")])
def test_make_targets_exist(line: str) -> None:
    """``make`` inside ``make test`` would not end; the recipes' own commands are tests of their own."""
    dry = subprocess.run(
        ["make", "-n", *shlex.split(line)[1:]], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert dry.returncode == 0, dry.stderr


@pytest.mark.extended
def test_readme_commands_run_in_order(flashed: Bench, trained: Path, tmp_path: Path) -> None:
    """On the board under test instead of /tmp/uno, in a folder that `sinehil train` has filled."""
    lines = [
        line for line in [*README, *commands("pipeline/KERNELS.md", "sh")] if line.startswith("sinehil ")
    ]
    assert len(lines) >= 10
    (tmp_path / "artifacts").symlink_to(trained)
    for line in lines:
        if line in ("sinehil train", "sinehil virtual uno --link /tmp/uno &"):
            continue  # what the fixtures have done, by the same commands
        words = shlex.split(line.replace("/tmp/uno", flashed.port))[1:]
        done = flashed.cli(*words, cwd=tmp_path)
        assert done.returncode == 0, (line, done.stderr)


def test_real_board_commands_are_the_same_ones() -> None:
    """What is marked as needing a board is run above with another port."""
    known = {line.replace("/tmp/uno", "/dev/ttyACM0") for line in README}
    assert commands("README.md", "sh real-board") and set(commands("README.md", "sh real-board")) <= known


def test_demo_runs_from_nothing(flashed: Bench, tmp_path: Path) -> None:
    done = flashed.cli("demo", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    stages = [line.split()[0] for line in done.stdout.splitlines() if re.match(r"\w+ +[\d.]+ s", line)]
    assert stages == ["train", "kernel", "compile", "board", "flash", "verify"]
    assert "PASS" in done.stdout and (tmp_path / "reports/demo/report.html").exists()
    kept = [path.name for path in tmp_path.iterdir()]
    assert sorted(kept) == ["artifacts", "build", "reports"]
