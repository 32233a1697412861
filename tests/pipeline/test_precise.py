"""The recipe `precise` keeps what it is for: the real interpreter's y near sin x, for every x in the range."""

from pathlib import Path

import pytest
from tests.conftest import Cli
from training_runs import Run

from sinehil.manifest import QUANTIZED_MODEL
from sinehil.targets import TARGETS
from sinehil.tflite_model import load_quantized_model
from sinehil_pipeline.refine import max_abs_error
from sinehil_pipeline.refinement.floor import floor_of

GOAL = 0.020
SIN = TARGETS["sin"]


@pytest.mark.slow
def test_precise_is_as_near_as_int8_allows(cli: Cli, tmp_path: Path) -> None:
    done = cli("train", "--recipe", "precise", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    model = load_quantized_model(tmp_path / QUANTIZED_MODEL)
    assert floor_of(model.input, model.output, SIN) < max_abs_error(model, SIN) <= GOAL


def test_the_book_s_model_is_far_from_it(book_run: Run) -> None:
    """The control: the goal is not met by any model."""
    assert max_abs_error(load_quantized_model(book_run.folder / QUANTIZED_MODEL), SIN) > 5 * GOAL
