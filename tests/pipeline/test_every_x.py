"""The error over every x: what a dense grid through the real interpreter comes to, for every target."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from refine_starts import interpolating_net
from tests.html_page import Page
from training_runs import Run

from sinehil.base.manifest import METRICS, QUANTIZED_MODEL
from sinehil.model.arithmetic import LITERT
from sinehil.model.interpreters import LitertOracle
from sinehil.model.targets import TARGETS, Target
from sinehil.model.tflite import QuantizedModel, load_quantized_model
from sinehil_pipeline.refinement.target_distance import measure_every_x

GRID = 20_001
ROOT = Path(__file__).parents[2]


def grid_error(model: QuantizedModel, target: Target, points: int = GRID) -> float:
    """Return the largest error on a grid and on both float32 neighbours of each quantiser step."""
    x = np.linspace(target.low, target.high, points, dtype=np.float32)
    x = np.concatenate([x, LITERT.quantizer_steps(model.input).ravel()]) if points == GRID else x
    x = x[(x >= target.low) & (x <= target.high)]
    return float(np.abs(LitertOracle(model).predict(x) - target.function(x.astype(np.float64))).max())


@pytest.mark.parametrize("name", TARGETS)
def test_no_x_of_a_dense_grid_is_worse_and_some_is_as_bad(name: str) -> None:
    model, target = interpolating_net(TARGETS[name]).model(), TARGETS[name]
    found = measure_every_x(model, target)
    assert found.floor < found.max_abs_error
    assert found.max_abs_error - 1e-4 < grid_error(model, target) <= found.max_abs_error + 1e-7


def test_a_coarse_grid_misses_the_worst_x() -> None:
    """The control: what is compared above can differ."""
    model = interpolating_net(TARGETS["sin"]).model()
    assert measure_every_x(model, TARGETS["sin"]).max_abs_error - 1e-4 > grid_error(
        model, TARGETS["sin"], 101
    )


def test_a_run_tells_it_everywhere(book_run: Run) -> None:
    model = load_quantized_model(book_run.folder / QUANTIZED_MODEL)
    told = json.loads((book_run.folder / METRICS).read_bytes())["every_x"]
    assert told["max_abs_error"] == pytest.approx(grid_error(model, TARGETS["sin"]), abs=1e-4)
    assert book_run.summary.every_x is not None
    assert (told["max_abs_error"], told["floor"]) == (
        book_run.summary.every_x.max_abs_error,
        book_run.summary.every_x.floor,
    )
    words = f"at most {told['max_abs_error']:.4f} from sin x; its scales allow {told['floor']:.4f}"
    assert any(words in line for line in book_run.summary.lines())
    page = Page((book_run.folder / "training.html").read_text(encoding="utf-8")).text
    words = (
        rf"Over every x in \[0, 2\u03c0\] the int8 model is at most {told['max_abs_error']:.3f} from sin x"
    )
    assert re.search(words, page) and "Learns sin x;" in page


def test_the_readme_says_what_the_book_s_model_comes_to(book_run: Run) -> None:
    assert book_run.summary.every_x is not None
    said = re.search(r"its int8 y is up to (0\.\d+) from sin x", (ROOT / "README.md").read_text())
    assert said and said[1] == f"{book_run.summary.every_x.max_abs_error:.3f}"
