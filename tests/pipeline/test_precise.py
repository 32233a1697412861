"""The recipe `precise` keeps what it is for: the real interpreter's y near its target, for every x in the range."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import Cli
from training_runs import Recorder, Run

from sinehil.manifest import METRICS
from sinehil_pipeline.config import Recipe, Refine
from sinehil_pipeline.run import train

GOAL = 0.020
README = Path(__file__).parents[2] / "README.md"


def every_x(folder: Path) -> dict[str, float]:
    found: dict[str, float] = json.loads((folder / METRICS).read_bytes())["every_x"]
    return found


@pytest.mark.slow
def test_precise_is_as_near_as_int8_allows_and_as_the_readme_says(cli: Cli, tmp_path: Path) -> None:
    done = cli("train", "--recipe", "precise", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    found = every_x(tmp_path)
    assert found["floor"] < found["max_abs_error"] <= GOAL
    said = re.search(r"comes to (0\.\d+), where rounding alone would leave (0\.\d+)", README.read_text())
    assert said and said.groups() == (f"{found['max_abs_error']:.4f}", f"{found['floor']:.4f}")


@pytest.mark.slow
def test_precise_comes_near_another_target_too(cli: Cli, book_run: Run, tmp_path: Path) -> None:
    done = cli("train", "--recipe", "precise", "--set", "data.target=gaussian", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    found = every_x(tmp_path)
    assert found["floor"] < found["max_abs_error"] <= 1.35 * found["floor"]
    assert every_x(book_run.folder)["max_abs_error"] > 5 * every_x(book_run.folder)["floor"], "the control"


def test_the_book_s_model_is_far_from_it(book_run: Run) -> None:
    """The control: the goal is not met by any model."""
    assert every_x(book_run.folder)["max_abs_error"] > 5 * GOAL


def test_refining_tells_how_far_it_is(
    short_recipe: Callable[..., Recipe], tmp_path: Path, recorder: Recorder
) -> None:
    train(short_recipe(after=(Refine(budget=1_000_000),)), tmp_path / "refined", "portable", recorder)
    assert recorder.fractions and all(0 < fraction <= 1 for fraction in recorder.fractions)
    assert recorder.fractions == sorted(recorder.fractions)
    other = Recorder()
    train(short_recipe(), tmp_path / "plain", "portable", other)
    assert other.fractions == [], "the control"
