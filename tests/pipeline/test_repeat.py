"""``sinehil train``: from a manifest, from a file, with keys overridden; and manifests of earlier versions."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.conftest import Cli
from training_runs import Run

from sinehil.base.manifest import SOURCE_DATA, changed_files, read_manifest
from sinehil.errors import ArtefactError
from sinehil_pipeline.recipes import data_override, load_recipe, parse_override, repeated_recipe

SHORT = ["--set", "final.epochs=4", "--set", "baseline.epochs=2", "--set", "gate.max_val_mse=99"]
# The recipe as version 0.1.0 wrote it, before it could say more.
OLD_RECIPE = {
    "baseline": {"batch_size": 16, "epochs": 1000, "hidden": [16], "name": "model_1"},
    "final": {"batch_size": 16, "epochs": 600, "hidden": [16, 16], "name": "model_2"},
    "gate": {"max_tries": 5, "max_val_mse": 0.015},
    "name": "book",
    "noise": 0.1,
    "representative_samples": 500,
    "samples": 1000,
    "seed": 137,
    "train_fraction": 0.6,
    "validation_fraction": 0.2,
}


def content(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def refused(done: subprocess.CompletedProcess[str], code: int, words: str) -> None:
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert re.search(words, done.stderr) and "  next: " in done.stderr, done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("csv") / "mine.csv"
    path.write_text("x,y\n" + "".join(f"{i / 50},{(i / 50) ** 2 / 10 + i % 3}\n" for i in range(300)))
    return path


@pytest.fixture(scope="module")
def csv_run(cli: Cli, csv: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short training on a file's rows, with all that a recipe can say and this version can do."""
    out = tmp_path_factory.mktemp("run") / "artifacts"
    keys = ["name=mine", "quantization={granularity='per_tensor', io='int8'}", "final.hidden=[5, 4, 3]"]
    done = cli(
        "train", "--data", csv, *SHORT, *(word for key in keys for word in ("--set", key)), "--out", out
    )
    assert done.returncode == 0, done.stderr
    return out


def test_a_run_on_a_file_is_complete_in_its_folder(csv_run: Path, csv: Path) -> None:
    manifest = read_manifest(csv_run)
    assert (csv_run / SOURCE_DATA).read_bytes() == csv.read_bytes() and SOURCE_DATA in manifest.files
    assert manifest.recipe["data"] == {"file": SOURCE_DATA}
    assert (manifest.recipe["samples"], manifest.recipe["noise"], manifest.recipe["name"]) == (300, 0, "mine")
    for path, data in content(csv_run).items():
        assert str(csv.parent).encode() not in data, path
    metrics = json.loads((csv_run / "metrics.json").read_bytes())
    test = metrics["test"]["model_2"]["litert_quantized"]
    assert test["max_abs_error_to_sine"] is test["max_abs_error_to_target"] is metrics["every_x"] is None
    page = (csv_run / "training.html").read_text(encoding="utf-8")
    assert "Distance of int8 from the float model" in page and "sin x" not in page
    assert "Learns the samples of a file;" in page


def test_the_manifest_repeats_the_run_to_the_byte(cli: Cli, csv_run: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "moved"
    shutil.copytree(csv_run, elsewhere)
    done = cli("train", "--from", elsewhere / "manifest.json", "--out", tmp_path / "again", "--json")
    assert done.returncode == 0, done.stderr
    assert content(tmp_path / "again") == content(csv_run)
    answer = json.loads(done.stdout)
    assert answer["changed_files"] == []
    assert json.loads(json.dumps(answer["recipe"])) == read_manifest(csv_run).recipe


def test_the_book_repeats_too(cli: Cli, book_run: Run, tmp_path: Path) -> None:
    done = cli("train", "--from", book_run.folder, "--out", tmp_path)
    assert "every file has the bytes that the manifest named" in done.stdout, done.stderr
    assert content(tmp_path) == content(book_run.folder)


def test_a_repetition_with_an_override_says_what_changed(cli: Cli, csv_run: Path, tmp_path: Path) -> None:
    done = cli("train", "--from", csv_run, "--set", "final.batch_size=17", "--out", tmp_path, "--json")
    assert done.returncode == 0, done.stderr
    changed = set(json.loads(done.stdout)["changed_files"])
    assert {"model_2/history.csv", "sine_model_quantized.tflite"} <= changed
    assert not changed & {"data/samples.csv", "model_1/history.csv"}
    assert read_manifest(tmp_path).recipe["final"]["batch_size"] == 17


@pytest.mark.slow
@pytest.mark.extended
def test_the_trainer_is_repeated(cli: Cli, csv_run: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    done = cli("train", "--from", csv_run, "--trainer", "keras", "--set", "final.epochs=1", "--out", first)
    assert done.returncode == 0, done.stderr
    assert cli("train", "--from", first, "--out", second).returncode == 0
    assert content(first) == content(second) and read_manifest(second).trainer == "keras"


def with_recipe(folder: Path, target: Path, recipe: object) -> Path:
    """Copy a run, with another recipe in its manifest."""
    shutil.copytree(folder, target)
    document = json.loads((target / "manifest.json").read_bytes())
    (target / "manifest.json").write_text(json.dumps({**document, "recipe": recipe}))
    return target


def test_an_old_manifest_means_what_it_meant(book_run: Run, tmp_path: Path) -> None:
    old = with_recipe(book_run.folder, tmp_path / "old", OLD_RECIPE)
    recipe, manifest = repeated_recipe(old)
    assert recipe == load_recipe("book")
    assert manifest.schema == 1 and changed_files(manifest, read_manifest(book_run.folder)) == []
    assert repeated_recipe(old, [parse_override("seed=7")])[0] == load_recipe(
        "book", [parse_override("seed=7")]
    )


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        ({}, "samples is missing"),
        (OLD_RECIPE | {"samples": 10**9}, "samples is 1000000000; allowed"),
        (OLD_RECIPE | {"noise": float("nan")}, "noise is nan"),
        (OLD_RECIPE | {"trees": 3}, "no key 'trees'"),
        (OLD_RECIPE | {"data": {"file": "/etc/passwd"}}, r"data\.file is not data/input\.csv"),
        (OLD_RECIPE | {"data": {"file": "../mine.csv"}}, r"data\.file is not data/input\.csv"),
        (OLD_RECIPE | {"data": {"file": "data/input.csv"}}, "does not list data/input.csv"),
        (OLD_RECIPE | {"data": [1]}, r"allowed: a table: \[data\]"),
        (OLD_RECIPE | {"final": OLD_RECIPE}, "no key 'final.baseline'"),
    ],
)
def test_a_manifests_recipe_is_believed_no_more_than_a_file(
    book_run: Run, tmp_path: Path, recipe: object, words: str
) -> None:
    folder = with_recipe(book_run.folder, tmp_path / "x", recipe)
    with pytest.raises(ArtefactError, match=words) as found:
        repeated_recipe(folder)
    assert "manifest.json" in found.value.message


def test_data_that_are_not_those_of_the_manifest(csv_run: Path, tmp_path: Path, csv: Path) -> None:
    folder = tmp_path / "x"
    shutil.copytree(csv_run, folder)
    with (folder / SOURCE_DATA).open("a") as file:
        file.write("1,1\n")
    with pytest.raises(ArtefactError, match=r"input\.csv is not the file .* altered"):
        repeated_recipe(folder)
    assert repeated_recipe(folder, [data_override(csv)])[0] == repeated_recipe(csv_run)[0]
    with pytest.raises(ArtefactError, match=r"there is no .*other\.json"):
        repeated_recipe(folder / "other.json")


# -- the command line, as a person meets it ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["--recipe", "boook"], 2, "no recipe 'boook'"),
        (["--recipe", "none.toml"], 6, r"none\.toml cannot be read: No such file"),
        (["--recipe", "book", "--from", "x"], 2, "--recipe and --from both name a recipe"),
        (["--from", "none"], 6, "there is no none"),
        (["--set", "final.epochs=0"], 2, r"--set final\.epochs=0: final\.epochs is 0; allowed"),
        (["--set", "seed"], 2, "'seed' is not KEY=VALUE"),
        (["--data", "none.csv"], 6, r"none\.csv cannot be read: No such file"),
        (["--data", "/dev/null"], 6, "/dev/null cannot be read: it is a pipe or a device"),
        (["--data", "/dev/zero"], 6, "/dev/zero cannot be read: it is a pipe or a device"),
        (["--seed", "-1"], 2, "seed"),
        (["--print-recipe", "--seed", "1"], 2, "--print-recipe prints a recipe's file as it is"),
    ],
)
def test_slips_are_told_before_anything_is_made(
    cli: Cli, tmp_path: Path, words: list[str], code: int, sentence: str
) -> None:
    refused(cli("train", *words, "--out", tmp_path / "out"), code, sentence)
    assert not (tmp_path / "out").exists()


def test_data_that_diverge_are_exit_code_7(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "huge.csv"
    path.write_text("x,y\n" + "".join(f"{i},{i}e30\n" for i in range(50)))
    done = cli("train", "--data", path, "--out", tmp_path / "out")
    refused(done, 7, r"training of model_\d from seed 137 diverged in epoch 1 of \d+")
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_the_printed_recipe_is_one(cli: Cli, tmp_path: Path) -> None:
    text = cli("train", "--print-recipe").stdout
    (tmp_path / "mine.toml").write_text(text)
    assert "#" in text and load_recipe(str(tmp_path / "mine.toml")) == load_recipe("book")
    assert cli("train", "--print-recipe", "--recipe", "precise").stdout != text


def test_unknown_trainers_of_a_manifest(cli: Cli, book_run: Run, tmp_path: Path) -> None:
    shutil.copytree(book_run.folder, tmp_path / "x")
    text = (tmp_path / "x/manifest.json").read_text()
    (tmp_path / "x/manifest.json").write_text(text.replace('"portable"', '"magic"'))
    refused(cli("train", "--from", tmp_path / "x", "--out", tmp_path / "y"), 2, "trainer .* 'magic'")
