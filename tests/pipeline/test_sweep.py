"""``sinehil sweep``: the same results however it runs, and a results file that is believed no more than others."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.conftest import Cli

from sinehil.errors import ArtefactError, UsageError
from sinehil_pipeline.recipes import load_recipe, parse_override
from sinehil_pipeline.sweep import parse_seeds
from sinehil_pipeline.sweep.ledger import header_of, open_ledger
from sinehil_pipeline.sweep.seeds import SeedResult

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


@pytest.mark.parametrize("figures", [{}, {"val_mse": 0.0}, {"int8_max_abs_error": None}])
def test_a_good_line_passes(tmp_path: Path, figures: dict[str, float | None]) -> None:
    """The control of the damaged ones, which differ from it in one thing each."""
    wanted = replace(RESULT, seed=2**32 - 1, **figures)
    with open_ledger(tmp_path, HEADER) as ledger:
        ledger.append(RESULT)
    results(tmp_path).write_text(results(tmp_path).read_text() + json.dumps(wanted.as_dict()) + "\n")
    with open_ledger(tmp_path, HEADER) as ledger:
        assert ledger.results == {3: RESULT, wanted.seed: wanted}


def test_results_of_other_versions_are_not_added_to(tmp_path: Path) -> None:
    versions = {**HEADER["versions"], "numpy": "1.0"}
    with open_ledger(tmp_path, {**HEADER, "versions": versions}) as ledger:
        ledger.append(RESULT)
    before = results(tmp_path).read_bytes()
    with pytest.raises(UsageError, match=r"versions\.numpy is '1\.0' there"), open_ledger(tmp_path, HEADER):
        pass
    assert results(tmp_path).read_bytes() == before


def test_a_schema_of_the_future_is_not_guessed_at(tmp_path: Path) -> None:
    with open_ledger(tmp_path, {**HEADER, "sinehil_sweep": 2}):
        pass
    with pytest.raises(ArtefactError, match="of a version that this one cannot read"):
        open_ledger(tmp_path, HEADER).__enter__()


def as_link(path: Path) -> None:
    path.with_name("target").write_text("")  # which by itself would do
    path.symlink_to("target")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (as_link, "is a link, and results are not written through links"),
        (os.mkfifo, "is no file"),
        (os.mkdir, "cannot write .*: Is a directory"),
    ],
)
def test_what_is_no_file_is_left_alone(tmp_path: Path, make: Callable[[Path], None], words: str) -> None:
    make(results(tmp_path))
    before = {path.name: path.lstat() for path in tmp_path.iterdir()}
    with pytest.raises(ArtefactError, match=words), open_ledger(tmp_path, HEADER):
        pass
    after = {path.name: path.lstat() for path in tmp_path.iterdir()}
    for name, stat in before.items():
        assert (after[name].st_ino, after[name].st_mtime_ns) == (stat.st_ino, stat.st_mtime_ns)
    assert before.keys() == after.keys()


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
