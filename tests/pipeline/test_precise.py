"""The recipe `precise` keeps what it is for: the real interpreter's y near its target, for every x in the range."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from test_kernel_goals import size_figures
from tests.conftest import Cli
from tests.sampling import first
from training_runs import Recorder, Run

from sinehil.base.manifest import METRICS, read_manifest
from sinehil_pipeline.config import Recipe, Refine
from sinehil_pipeline.run import train

GOAL = 0.020
README = Path(__file__).parents[2] / "README.md"


def every_x(folder: Path) -> dict[str, float]:
    found: dict[str, float] = json.loads((folder / METRICS).read_bytes())["every_x"]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", first(1, ["sin", "gaussian"]))
def test_precise_is_as_near_as_int8_allows_and_as_the_readme_says(
    cli: Cli, tmp_path: Path, name: str
) -> None:
    done = cli("train", "--recipe", "precise", "--set", f"data.target={name}", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    worst, floor = every_x(tmp_path)["max_abs_error"], every_x(tmp_path)["floor"]
    assert floor < worst <= min(GOAL, 1.35 * floor)
    small = size_figures(tmp_path)
    assert small.flash_bytes <= 650
    assert small.worst_cycles <= 6600
    val_mse = read_manifest(tmp_path).tries[-1].val_mse
    assert f"\n| {name} | {worst:.4f} | {floor:.4f} | {val_mse:.5f} |\n" in README.read_text()


def test_the_book_s_model_is_far_from_it(book_run: Run) -> None:
    """The control: the goal is not met by any model."""
    found = every_x(book_run.folder)
    assert found["max_abs_error"] > 5 * max(GOAL, found["floor"])


def test_refining_tells_how_far_it_is(
    short_recipe: Callable[..., Recipe], tmp_path: Path, recorder: Recorder
) -> None:
    train(short_recipe(after=(Refine(budget=1_000_000),)), tmp_path / "refined", "portable", recorder)
    assert recorder.fractions and all(0 < fraction <= 1 for fraction in recorder.fractions)
    assert recorder.fractions == sorted(recorder.fractions)
    other = Recorder()
    train(short_recipe(), tmp_path / "plain", "portable", other)
    assert other.fractions == [], "the control"
