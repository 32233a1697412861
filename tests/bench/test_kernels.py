"""Every kernel on the board: bit for bit the interpreter, at the cycles that its generator counted."""

import json
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from tests.bench.conftest import Bench
from tests.sampling import first

pytestmark = pytest.mark.board
ASSEMBLY = ("speed", "size", "table")
KINDS = (*ASSEMBLY, "portable")
FIRMWARE_FLASH_BYTES, FIRMWARE_RAM_BYTES = 6_656, 512  # the goal for the whole firmware with the size kernel


def run(bench: Bench, *words: object, code: int = 0) -> dict[str, Any]:
    done = bench.cli(*words, "--json")
    assert done.returncode == code, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


@pytest.mark.parametrize("kind", KINDS)
def test_the_board_equals_the_interpreter_and_takes_the_cycles_that_were_counted(
    victim: Bench, kind: str
) -> None:
    """The board's own counter, which simavr drives, against the generator's own machine."""
    run(victim, "flash", "--port", victim.port, *victim.words(), "--optimize", kind)
    verified = run(victim, "verify", "--port", victim.port, *victim.words())
    assert (verified["verdict"], verified["compared"]) == ("PASS", 790)
    assert verified["device"]["engine"] == kind
    compiled = run(victim, "compile", *victim.words(), "--optimize", kind)
    figures = compiled["kernel"]["figures"]
    measured = run(victim, "bench", "--port", victim.port)
    if kind in ASSEMBLY:
        assert measured["cycles_per_inference"] == figures["mean_cycles"]
        assert measured["cycles_max"] == figures["worst_cycles"]
    assert compiled["engine"] == kind


@pytest.mark.parametrize("oracle", first(1, ["tflm", "litert-ref"]))
def test_a_board_made_for_another_oracle_passes_with_it_alone(victim: Bench, oracle: str) -> None:
    run(victim, "flash", "--port", victim.port, *victim.words(), "--oracle", oracle)
    verified = run(victim, "verify", "--port", victim.port, *victim.words(), "--oracle", oracle)
    assert (verified["verdict"], verified["oracle"], verified["mismatches"]) == ("PASS", oracle, 0)
    refused = run(victim, "verify", "--port", victim.port, *victim.words(), code=4)
    assert oracle in refused["error"]["message"]


def test_the_default_is_the_fastest_that_fits(flashed: Bench) -> None:
    compiled = run(flashed, "compile", *flashed.words())
    assert compiled["engine"] == "speed"
    figures = compiled["kernel"]["figures"]
    assert figures["mean_cycles"] <= 800 and figures["flash_bytes"] <= 3_300
    assert figures["mean_cycles"] <= 1.35 * figures["bound_cycles"]


def test_the_whole_firmware_with_the_smallest_kernel_keeps_to_its_budget(flashed: Bench) -> None:
    compiled = run(flashed, "compile", *flashed.words(), "--optimize", "size")
    assert compiled["flash_bytes"] <= FIRMWARE_FLASH_BYTES
    assert compiled["ram_bytes"] <= FIRMWARE_RAM_BYTES


def test_the_kernels_keep_to_their_goals(flashed: Bench) -> None:
    size = run(flashed, "compile", *flashed.words(), "--optimize", "size")["kernel"]["figures"]
    assert size["flash_bytes"] <= 450 and size["worst_cycles"] == size["mean_cycles"] <= 6_600
    table = run(flashed, "compile", *flashed.words(), "--optimize", "table")["kernel"]["figures"]
    assert table["worst_cycles"] <= 20 and table["flash_bytes"] < 256 + 32


def test_all_oracles_are_compared(flashed: Bench) -> None:
    compiled = run(flashed, "compile", *flashed.words(), "--oracle", "all")
    assert compiled["oracle"] == "litert"
    pairs = {(item["first"], item["second"]): item for item in compiled["oracle_differences"]}
    assert set(pairs) == {("litert", "litert-ref"), ("litert", "tflm"), ("litert-ref", "tflm")}
    assert all(item["compared"] == 256 for item in pairs.values())
    assert 0 < pairs["litert", "tflm"]["differ"] < 128, "TFLM rounds otherwise"
    assert pairs["litert", "litert-ref"]["differ"] < pairs["litert", "tflm"]["differ"]


@pytest.mark.extended
@pytest.mark.slow
def test_the_engines_compared_are_those_in_the_docs(virtual: Bench, tmp_path: Path) -> None:
    """What `bench engines` writes of the book's model is what pipeline/engines.md shows, to the digit."""
    out = tmp_path / "out"
    compared = run(virtual, "bench", "engines", "--port", virtual.port, *virtual.words(), "--out", out)
    by_name = {item["engine"]: item for item in compared["engines"]}
    assert set(by_name) == {*KINDS, "emlearn", "tflite-style"}
    assert all(by_name[kind]["equal"]["litert"] == 256 for kind in KINDS)
    assert by_name["tflite-style"]["equal"]["tflm"] == 256 > by_name["tflite-style"]["equal"]["litert"]
    assert by_name["emlearn"]["equal"]["litert"] < 256
    peers = (by_name["emlearn"], by_name["tflite-style"])
    for measure in ("cycles_mean", "flash_bytes"):
        assert max(by_name[kind][measure] for kind in ("size", "portable")) < min(
            peer[measure] for peer in peers
        )
    root = Path(__file__).parents[2]
    docs = root / "pipeline"
    for readme, (name, item) in product(("README.md", "README.ko.md"), by_name.items()):
        equal = f"{item['equal']['litert']} of 256"
        figures = f"| {item['cycles_mean']:,.0f} | {item['flash_bytes']:,} B | "
        lines = [line for line in (root / readme).read_text().splitlines() if figures in line]
        assert lines or name == "table", (readme, name, figures)
        assert readme == "README.ko.md" or all(equal in line for line in lines)
    assert (out / "engines.md").read_text() == (docs / "engines.md").read_text()
    assert (out / "engines.png").read_bytes()[:4] == (docs / "engines.png").read_bytes()[:4] == b"\x89PNG"
