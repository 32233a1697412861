"""What ``sinehil sweep`` says of a seed: the figures of `sinehil train`, of the interpreter, and of the formula."""

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.conftest import Cli

from sinehil_pipeline.conversion.evaluation import run_interpreter
from sinehil_pipeline.page.plot_style import log_ticks
from sinehil_pipeline.recipes import load_recipe, parse_override
from sinehil_pipeline.sweep.seeds import SeedResult
from sinehil_pipeline.sweep.statistics import wilson
from sinehil_pipeline.sweep.sweep_plot import mse_lines

RECIPE = ["--set", "final.epochs=100", "--set", "baseline.epochs=1", "--set", "gate.max_val_mse=99"]
SEED, ANOTHER = 5, 6
FIFTH_DIGIT = 1e-4  # figures have five digits; where two runtimes differ in the seventh, so may the fifth
SINE_SLOPE = 1.0


def swept(cli: Cli, *words: object) -> dict[str, Any]:
    done = cli("sweep", "--jobs", 1, *words, "--json")
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


@pytest.fixture(scope="module")
def figures(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> dict[int, dict[str, float]]:
    """What the sweep has, by seed."""
    out = tmp_path_factory.mktemp("sweep")
    document = swept(cli, *RECIPE, "--seeds", f"{SEED},{ANOTHER}", "--out", out)
    return {result["seed"]: result for result in document["results"]}


@pytest.fixture(scope="module")
def trained(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same recipe from SEED, by `sinehil train`."""
    out = tmp_path_factory.mktemp("train")
    done = cli("train", *RECIPE, "--seed", SEED, "--out", out)
    assert done.returncode == 0, done.stderr
    return out


def test_a_seed_has_the_figures_of_a_training(figures: dict[int, dict[str, float]], trained: Path) -> None:
    with (trained / "model_2/history.csv").open() as file:
        val_mse = [float(row["val_mse"]) for row in csv.DictReader(file)]
    test = json.loads((trained / "metrics.json").read_bytes())["test"]["model_2"]
    found, other = figures[SEED], figures[ANOTHER]
    assert (found["val_mse"], found["best_val_mse"]) == pytest.approx((val_mse[-1], min(val_mse)), rel=1e-6)
    assert found["int8_test_mse"] == test["litert_quantized"]["mse"]
    for runtime in ("keras", "litert_float"):
        assert found["test_mse"] == pytest.approx(test[runtime]["mse"], rel=FIFTH_DIGIT)
        assert other["test_mse"] != pytest.approx(test[runtime]["mse"], rel=10 * FIFTH_DIGIT)
    assert other["val_mse"] != pytest.approx(val_mse[-1], rel=10 * FIFTH_DIGIT)


def test_the_largest_error_is_the_interpreters(figures: dict[int, dict[str, float]], trained: Path) -> None:
    """Between two x of the grid, y is constant but for one step of the quantiser: so is the error, but for sin x."""
    x = np.linspace(0, 2 * math.pi, 20_001, dtype=np.float32)
    y = run_interpreter((trained / "sine_model_quantized.tflite").read_bytes(), x)
    on_grid = float(np.abs(y - np.sin(x.astype(np.float64))).max())
    between = SINE_SLOPE * 2 * math.pi / 20_000
    assert on_grid * (1 - FIFTH_DIGIT) <= figures[SEED]["int8_max_abs_error"] <= on_grid + between
    assert figures[ANOTHER]["int8_max_abs_error"] != pytest.approx(on_grid, abs=2 * between)


def test_seeds_that_diverge_are_results_too(cli: Cli, tmp_path: Path) -> None:
    wild = ["--set", "final.optimizer.name=sgd", "--set", "final.optimizer.learning_rate=1000.0"]
    document = swept(cli, *RECIPE, *wild, "--seeds", "0:3", "--out", tmp_path)
    assert document["trained"] == 3 and document["outcomes"]["diverged"]["count"] == 3
    assert document["test_mse"] == {"lower": None, "median": None, "upper": None}
    rows = (tmp_path / "sweep.csv").read_text().splitlines()[1:]
    assert rows == [f"{seed},diverged,,,,," for seed in range(3)]
    assert (tmp_path / "sweep.png").read_bytes().startswith(b"\x89PNG")


def test_samples_of_ones_own_are_swept_and_told_from_others(cli: Cli, tmp_path: Path) -> None:
    samples, out = tmp_path / "mine.csv", tmp_path / "out"
    samples.write_text("x,y\n" + "".join(f"{i / 50},{(i / 50) ** 2 / 10}\n" for i in range(200)))
    command = [*RECIPE, "--data", samples, "--seeds", "0:2", "--out", out]
    results = swept(cli, *command)["results"]
    assert [result["int8_max_abs_error"] for result in results] == [None, None]
    assert results[0]["int8_test_mse"] > 0 and results[0]["test_mse"] != results[1]["test_mse"]
    samples.write_text(samples.read_text().replace("x,y\n0.0,0.0\n", "x,y\n0.0,0.5\n"))
    again = cli("sweep", *command)
    assert again.returncode == 2 and "has a sweep of something else: recipe.data.sha256" in again.stderr


def normal_quantile(confidence: float) -> float:
    return bisected(lambda z: math.erf(z / math.sqrt(2)) - confidence, 0, 10)


def bisected(function: Callable[[float], float], low: float, high: float) -> float:
    """Return a root of a function that is negative at ``low``, positive at ``high``."""
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) < 0 else (low, middle)
    return (low + high) / 2


@pytest.mark.parametrize(
    ("count", "of"), [(14, 200), (49, 200), (0, 20), (20, 20), (1, 29), (1, 1), (5000, 9999)]
)
def test_wilsons_interval_is_where_the_score_test_would_reject(count: int, of: int) -> None:
    """Its ends are the shares p with |count/of - p| = z sqrt(p (1 - p) / of), found here without the formula."""
    share, z = count / of, normal_quantile(0.95)

    def excess(p: float) -> float:
        return abs(share - p) - z * math.sqrt(p * (1 - p) / of)

    low = bisected(lambda p: -excess(p), 0, share) if count > 0 else 0
    high = bisected(excess, share, 1) if count < of else 1
    found = wilson(count, of)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-9)
    textbook = z * math.sqrt(share * (1 - share) / of)  # the usual one, which is wrong near 0 and 1
    assert (low, high) != pytest.approx((share - textbook, share + textbook), abs=1e-6)


@pytest.mark.parametrize(("low", "high"), [(0.0105, 0.0131), (0.09, 0.11), (0.008, 0.2), (2e-7, 3.0)])
def test_an_axis_of_few_or_many_seeds_is_labelled(low: float, high: float) -> None:
    ticks = log_ticks(low, high)
    assert len(ticks) >= 3 and ticks == sorted(ticks) and low <= ticks[0] < ticks[-1] <= high
    assert len({f"{tick:g}" for tick in ticks}) == len(ticks), "labels must differ"
    assert len(ticks) <= 14


def test_the_noise_is_drawn_where_there_is_one_and_near() -> None:
    def drawn(mse: float, *keys: str) -> list[float]:
        recipe = load_recipe("book", [parse_override(key) for key in keys])
        return [line.at for line in mse_lines(recipe, [SeedResult(1, 1.0, 1.0, mse)])]

    assert drawn(0.02) == [0.1**2, 0.015]
    assert drawn(0.02, "noise=0.0") == [0.015]
    assert drawn(0.02, "gate.max_val_mse=99") == [0.1**2]
    assert drawn(20.0) == []
