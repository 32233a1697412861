"""A model of one's own with several inputs and outputs, through the commands: compile, flash, verify, bench, sketch."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from wide_models import wide_model

from sinehil.arduino import compile_sketch, prepare_environment, stage_sketch, upload
from sinehil.base.manifest import KERNEL
from sinehil.virtual import VirtualUno
from sinehil_kernels import generate_kernel
from tests.conftest import Cli

pytestmark = pytest.mark.board

RIGHT, WRONG = "y_q[j] = (int8_t)(", "y_q[j] = (int8_t)(1 ^ "


@dataclass(frozen=True)
class WideBench:
    cli: Cli
    port: str
    words: tuple[object, ...]

    def run(self, command: str, *words: object, expect: int = 0) -> dict[str, object]:
        """Return the JSON object of a command about the model."""
        done = self.cli(command, "--port", self.port, *self.words, *words, "--json")
        assert done.returncode == expect, done.stderr
        document: dict[str, object] = json.loads(done.stdout)
        return document


@pytest.fixture(scope="module")
def bench(
    request: pytest.FixtureRequest, cli: Cli, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[WideBench]:
    folder = tmp_path_factory.mktemp("wide")
    (folder / "wide.tflite").write_bytes(wide_model(5, 3).data)
    words = ("--model", folder / "wide.tflite", "--build", folder / "build")
    if real := request.config.getoption("--port"):
        yield WideBench(cli, real, words)
        return
    with VirtualUno.start(link=folder / "uno") as board:
        yield WideBench(cli, board.port, words)


@pytest.fixture(scope="module")
def flashed(bench: WideBench) -> WideBench:
    bench.run("flash")
    return bench


def test_verify_says_what_is_sampled_and_what_is_proven(flashed: WideBench, tmp_path: Path) -> None:
    document = flashed.run("verify", "--report", tmp_path)
    assert (document["verdict"], document["mode"], document["seed"]) == ("PASS", "exhaustive", 137)
    assert isinstance(document["compared"], int) and document["compared"] > 3 * 10_000
    coverage, proof, device = document["coverage"], document["proof"], document["device"]
    assert isinstance(coverage, dict) and not coverage["complete"]
    assert (coverage["quantizer_steps"], coverage["inputs_with_a_step"]) == (255, 5)
    assert isinstance(proof, dict) and proof["neurons"] == 9 and proof["accumulators"] > 10_000
    assert isinstance(device, dict) and (device["inputs"], device["outputs"]) == (5, 3)
    assert "Complete" not in (tmp_path / "report.html").read_text()


def test_another_seed_and_more_samples(flashed: WideBench) -> None:
    document = flashed.run("verify", "--samples", 10_500, "--seed", 5)
    assert (document["verdict"], document["seed"]) == ("PASS", 5)


def test_too_few_samples_are_refused(flashed: WideBench) -> None:
    error = flashed.run("verify", "--samples", 9_999, expect=2)["error"]
    assert isinstance(error, dict) and "5 inputs" in error["message"] and "10000" in error["next_step"]


def test_samples_are_shown_one_by_one(flashed: WideBench) -> None:
    done = flashed.cli("verify", "--port", flashed.port, *flashed.words, "--mode", "samples", "--samples", 6)
    assert done.returncode == 0, done.stderr
    assert sum(line.startswith("x ") for line in done.stdout.splitlines()) == 6


def test_bench_measures_seeded_samples(flashed: WideBench) -> None:
    done = flashed.cli("bench", "--port", flashed.port, "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["cycles_samples"] == 512
    compiled = flashed.cli("compile", *flashed.words, "--json")
    assert compiled.returncode == 0, compiled.stderr
    wcet_cycles = json.loads(compiled.stdout)["kernel"]["figures"]["wcet_cycles"]
    assert 100 < document["cycles_per_inference"] <= document["cycles_max"] <= wcet_cycles < 60_000


def test_wrong_arithmetic_behind_a_right_identity_fails(bench: WideBench, tmp_path: Path) -> None:
    """Negative control; it runs last, for it leaves its firmware on the board."""
    kernel = generate_kernel(wide_model(5, 3))
    assert kernel.source.count(RIGHT) == 1
    sources = {**kernel.sources, KERNEL: kernel.source.replace(RIGHT, WRONG)}
    environment = prepare_environment(str)
    sketch = stage_sketch(sources, tmp_path)
    upload(environment, compile_sketch(environment, sketch, "arduino:avr:uno", tmp_path / "out"), bench.port)
    document = bench.run("verify", expect=1)
    assert document["verdict"] == "FAIL"
    assert isinstance(document["mismatches"], int) and document["mismatches"] > 0
