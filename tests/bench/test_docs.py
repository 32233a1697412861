"""Every command line in README and CONTRIBUTING runs, or is marked as needing a real board."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.bench.conftest import Bench
from tests.container.wrapper import copy_tree
from tests.sampling import extended

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.board
LONG = ("soak", "sweep", "train")  # tests of their own have them in `make test`


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


@pytest.mark.parametrize("long_ones", [False, extended(True)])
def test_readme_commands_run_in_order(flashed: Bench, trained: Path, tmp_path: Path, long_ones: bool) -> None:
    """On the board under test instead of /tmp/uno, in a folder that `sinehil train` has filled."""
    lines = [
        line for line in [*README, *commands("pipeline/KERNELS.md", "sh")] if line.startswith("sinehil ")
    ]
    assert len(lines) >= 10
    (tmp_path / "artifacts").symlink_to(trained)
    ran = 0
    for line in lines:
        if line in ("sinehil train", "sinehil virtual uno --link /tmp/uno &"):
            continue  # what the fixtures have done, by the same commands
        words = shlex.split(line.replace("/tmp/uno", flashed.port))[1:]
        if words[0] in LONG and "--print-recipe" not in words and not long_ones:
            continue
        done = flashed.cli(*words, cwd=tmp_path)
        assert done.returncode == 0, (line, done.stderr)
        ran += 1
    assert ran >= 10


def test_real_board_commands_are_the_same_ones() -> None:
    """What is marked as needing a board is run above with another port."""
    known = {line.replace("/tmp/uno", "/dev/ttyACM0") for line in README}
    assert commands("README.md", "sh real-board") and set(commands("README.md", "sh real-board")) <= known


def test_demo_runs_from_a_clean_clone(flashed: Bench, cache_without_kernels: Path, tmp_path: Path) -> None:
    """Only what git knows is there, and neither artefacts nor kernels."""
    clone, folder = copy_tree(tmp_path / "clone"), tmp_path / "bench"
    folder.mkdir()
    environment = {
        "PYTHONPATH": f"{clone / 'hil'}:{clone / 'pipeline'}",
        "SINEHIL_CACHE": str(cache_without_kernels),
    }
    done = flashed.cli("demo", cwd=folder, env=environment)
    assert done.returncode == 0, done.stderr
    stages = [line.split()[0] for line in done.stdout.splitlines() if re.match(r"\w+ +[\d.]+ s", line)]
    assert stages == ["train", "kernel", "compile", "board", "flash", "verify"]
    assert "PASS" in done.stdout and (folder / "reports/demo/report.html").exists()
    kept = [path.name for path in folder.iterdir()]
    assert sorted(kept) == ["artifacts", "build", "reports"]
    (clone / "hil/sinehil/errors.py").unlink()
    assert flashed.cli("demo", cwd=folder, env=environment).returncode != 0, (
        "the control: it is the clone that runs"
    )
