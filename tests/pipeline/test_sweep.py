"""``sinehil sweep``: the same results however it runs, and a results file that survives what happens to it."""

import fcntl
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.conftest import Cli

from sinehil.errors import ArtefactError, UsageError
from sinehil_pipeline.recipes import load_recipe, parse_override
from sinehil_pipeline.sweep import parse_seeds
from sinehil_pipeline.sweep.header import header_of
from sinehil_pipeline.sweep.ledger import open_ledger
from sinehil_pipeline.sweep.result import SeedResult
from sinehil_pipeline.sweep.statistics import wilson

SHORT = ["--set", "final.epochs=20", "--set", "final.hidden=[4]"]
HEADER = header_of(load_recipe("book"))
RESULT = SeedResult(3, 0.5, 0.25, 0.125, 0.5, 0.75)


def results(folder: Path) -> Path:
    return folder / "results.jsonl"


def seeds_in(folder: Path) -> list[int]:
    return [json.loads(line)["seed"] for line in results(folder).read_text().splitlines()[1:]]


@pytest.fixture(scope="module")
def whole(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sweep") / "whole"
    done = cli("sweep", *SHORT, "--seeds", "0:4", "--jobs", 1, "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["trained"] == 4
    return out


def test_jobs_and_a_torn_line_change_nothing(cli: Cli, whole: Path, tmp_path: Path) -> None:
    lines = results(whole).read_bytes().splitlines(keepends=True)
    results(tmp_path).write_bytes(b"".join(lines[:2]) + lines[2][:30])
    done = cli("sweep", *SHORT, "--seeds", "0:4", "--jobs", 2, "--out", tmp_path, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["trained"] == 3 and sorted(seeds_in(tmp_path)) == [0, 1, 2, 3]
    for name in ("sweep.csv", "sweep.png"):
        assert (tmp_path / name).read_bytes() == (whole / name).read_bytes()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_ended_sweep_goes_on(cli: Cli, whole: Path, tmp_path: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-m", "sinehil", "sweep", *SHORT, "--seeds", "0:4", "--jobs", "1"]
    out = ["--out", str(tmp_path)]
    with subprocess.Popen([*command, *out], stderr=subprocess.PIPE, text=True) as process:
        while not results(tmp_path).exists() or results(tmp_path).read_bytes().count(b"\n") < 2:
            assert process.poll() is None
        process.send_signal(number)
        _, talk = process.communicate(timeout=60)
    if number == signal.SIGINT:
        assert process.returncode == 130 and "of 4 seeds are done" in talk
    kept = len(seeds_in(tmp_path))
    assert 0 < kept < 4, "it must have been in the middle"
    done = cli("sweep", *SHORT, "--seeds", "0:4", *out, "--json")
    assert json.loads(done.stdout)["trained"] == 4 - kept and sorted(seeds_in(tmp_path)) == [0, 1, 2, 3]
    assert (tmp_path / "sweep.csv").read_bytes() == (whole / "sweep.csv").read_bytes()


def test_results_come_back_and_another_recipe_is_refused(tmp_path: Path) -> None:
    with open_ledger(tmp_path, HEADER) as ledger:
        ledger.append(RESULT)
    with open_ledger(tmp_path, HEADER) as ledger:
        assert ledger.results == {3: RESULT}
    other = header_of(load_recipe("book", [parse_override("final.epochs=4")]))
    with (
        pytest.raises(UsageError, match=r"recipe\.final\.epochs is 600 there and 4 here"),
        open_ledger(tmp_path, other),
    ):
        pass


def test_a_second_sweep_in_the_folder_is_refused(tmp_path: Path) -> None:
    with open_ledger(tmp_path, HEADER):
        with pytest.raises(UsageError, match="another sweep is at work"), open_ledger(tmp_path, HEADER):
            pass
        descriptor = os.open(results(tmp_path), os.O_RDWR)
        with pytest.raises(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(descriptor)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "[1]",
        "{",
        "[" * 100_000,
        '{"seed": 4}',
        json.dumps({**RESULT.as_dict()}),
        json.dumps({**RESULT.as_dict(), "seed": True}),
        json.dumps({**RESULT.as_dict(), "seed": 4, "val_mse": float("nan")}),
        json.dumps({**RESULT.as_dict(), "seed": 4, "val_mse": -1.0}),
        json.dumps({**RESULT.as_dict(), "seed": 2**32}),
    ],
)
def test_a_damaged_line_is_an_error(tmp_path: Path, line: str) -> None:
    with open_ledger(tmp_path, HEADER) as ledger:
        ledger.append(RESULT)
    results(tmp_path).write_text(results(tmp_path).read_text() + line + "\n")
    with pytest.raises(ArtefactError, match="damaged in line 3"), open_ledger(tmp_path, HEADER):
        pass


def test_a_file_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    results(tmp_path).write_text("mine")
    with pytest.raises(ArtefactError, match="not of a sweep"), open_ledger(tmp_path, HEADER):
        pass
    assert results(tmp_path).read_text() == "mine"


def test_seeds_are_read_as_python_reads_ranges() -> None:
    assert parse_seeds("0:3") == (0, 1, 2) and parse_seeds("137,0:10:5,0") == (0, 5, 137)
    for wrong in ("", "3:3", "1:2:0", "-1:2", "a", "0:4294967297", str(2**32)):
        with pytest.raises(UsageError):
            parse_seeds(wrong)


def test_wilsons_interval_is_the_published_one() -> None:
    """Newcombe 1998, table I, method 3."""
    for count, of, low, high in ((81, 263, 0.2553, 0.3662), (0, 20, 0, 0.1611), (1, 29, 0.0061, 0.1718)):
        found = wilson(count, of)
        assert (round(found.low, 4), round(found.high, 4)) == (low, high)
