"""``sinehil bench train``: both trainers are measured, and the board's bench is still there."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from tests.conftest import Cli
from tests.process_groups import living_members

from sinehil_pipeline.training.trainer_cost import Comparison, Cost

DEADLINE_S = 60


def test_ratios_are_of_keras_to_portable() -> None:
    found = Comparison("model_2", 600, portable=Cost(2.0, 1.0), keras=Cost(90.0, 120.0))
    assert (found.ratio, found.cpu_ratio) == (45, 120)


@pytest.mark.slow
def test_both_trainers_are_measured(cli: Cli) -> None:
    done = cli("bench", "train", "--epochs", 2, "--json")
    assert done.returncode == 0, done.stderr
    models = json.loads(done.stdout)["models"]
    assert list(models) == ["model_1", "model_2"]
    for model in models.values():
        assert model["epochs"] == 2
        assert model["ratio"] == model["keras"]["seconds"] / model["portable"]["seconds"]
        assert model["cpu_ratio"] == model["keras"]["cpu_seconds"] / model["portable"]["cpu_seconds"]
    assert "times faster" in done.stderr


@pytest.mark.slow
def test_ctrl_c_leaves_no_process() -> None:
    command = [sys.executable, "-m", "sinehil", "bench", "train", "--epochs", "100000"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as bench:
        while len(living_members(bench.pid)) < 2:  # the bench and the worker that trains
            assert bench.poll() is None
            time.sleep(0.05)
        os.killpg(bench.pid, signal.SIGINT)
        _, said = bench.communicate(timeout=DEADLINE_S)
    assert bench.returncode == 130 and "Traceback" not in said
    assert said.splitlines()[-1].startswith("sinehil: interrupted")
    assert living_members(bench.pid) == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["bench"], "Missing option '--port' / '-p'."),
        (["bench", "--port", "/dev/none", "train"], "options of `bench train` stand behind it"),
        (["bench", "train", "--epochs", "0"], "--epochs"),
        (["bench", "trains"], "No such command"),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(cli: Cli, words: list[str], says: str) -> None:
    done = cli(*words)
    assert done.returncode == 2
    assert says in done.stderr


def test_a_board_that_is_not_there_is_a_link_error(cli: Cli) -> None:
    done = cli("bench", "--port", "/dev/none", "--json")
    assert done.returncode == 3
    assert json.loads(done.stdout)["error"]["exit_code"] == 3
