"""Single keys of a recipe on the command line."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinehil.errors import ArtefactError, SinehilError, UsageError
from sinehil_pipeline.config import Recipe, Refine
from sinehil_pipeline.recipes import data_override, load_recipe, parse_override, seed_override
from sinehil_pipeline.training.optimizers import Optimizer

BOOK = load_recipe("book")


def book_with(*texts: str) -> Recipe:
    return load_recipe("book", [parse_override(text) for text in texts])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("seed=5", replace(BOOK, seed=5)),
        (" noise = 0.25 ", replace(BOOK, noise=0.25)),
        ("name=mine", replace(BOOK, name="mine")),
        ('name="mine"', replace(BOOK, name="mine")),
        ("final.epochs=100", replace(BOOK, final=replace(BOOK.final, epochs=100))),
        ("final.hidden=[32, 16]", replace(BOOK, final=replace(BOOK.final, hidden=(32, 16)))),
        (
            "baseline.optimizer={name='sgd', schedule='cosine'}",
            replace(BOOK, baseline=replace(BOOK.baseline, optimizer=Optimizer("sgd", 0.01, "cosine"))),
        ),
        ("quantization.io=int8", replace(BOOK, quantization=replace(BOOK.quantization, io="int8"))),
        ("after=[{step='refine', budget=5}]", replace(BOOK, after=(Refine(5),))),
        ("data.target=cos", replace(BOOK, data=replace(BOOK.data, target="cos"))),
    ],
)
def test_one_key_is_changed_and_no_other(text: str, expected: Recipe) -> None:
    assert book_with(text) == expected != BOOK


def test_later_ones_win() -> None:
    assert book_with("seed=1", "seed=2").seed == 2
    assert load_recipe("book", [seed_override(3)]).seed == 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("seed", "'seed' is not KEY=VALUE"),
        ("=5", "is not KEY=VALUE"),
        ("final..epochs=5", "is not KEY=VALUE"),
        (
            "final.epochs=0",
            r"--set final\.epochs=0: final\.epochs is 0; allowed: a whole number from 1 to 100000",
        ),
        ("final.epochs=1e3", r"final\.epochs is 1000\.0; allowed"),
        ("final.epochs=", r"final\.epochs is ''; allowed"),
        ("final.epochs=1\nseed=9", r"final\.epochs is '1\\nseed=9'; allowed"),
        (
            "final.epoch=5",
            r"--set final\.epoch=5: there is no key 'final\.epoch'; did you mean final\.epochs\?",
        ),
        ("epochs=5", r"did you mean final\.epochs or baseline\.epochs\?"),
        ("model.epochs=5", "there is no key 'model'; there are: name, samples"),
        ("seed.x=5", "seed is no table, it has no x"),
        ("final=5", r"--set final=5: final is 5; allowed: a table: \[final\]"),
        ("final={epochs=5}", r"--set final=\{epochs=5\}: final\.hidden is missing"),
        ("train_fraction=0.9", "cut 1000 samples into 900, 200 and -100"),
        ("after=[{step='refine'}]", r"after\.0\.budget is missing"),
        ("seed=" + "[" * 5000, r"seed is '\[\[\[.*\[\[\['; allowed"),
        ("seed=" + "9" * 5000, "seed is '999.*999'; allowed"),
        ("." * 5000 + "=1", "is not KEY=VALUE"),
        (".".join("a" * 3000) + "=1", "is not KEY=VALUE"),
    ],
)
def test_a_slip_on_the_command_line_is_one(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as found:
        book_with(text)
    assert found.value.next_step and len(found.value.message) < 500


def test_a_slip_in_the_file_stays_the_files(tmp_path: Path) -> None:
    """The class of the error follows the key that is wrong, not whether anything was overridden."""
    path = tmp_path / "my.toml"
    path.write_text('noise = "loud"')
    with pytest.raises(ArtefactError, match=r"my\.toml: noise is 'loud'"):
        load_recipe(str(path), [parse_override("samples=5")])


@given(st.text(max_size=12), st.text(max_size=30))
def test_no_text_is_more_than_a_refusal(key: str, value: str) -> None:
    for text in (f"{key}={value}", f"final.{key}={value}", f"final.epochs={value}"):
        try:
            book_with(text)
        except SinehilError as error:
            assert isinstance(error, UsageError), error


def test_data_takes_the_place_of_a_target(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("x,y\n" + "".join(f"{i},{i * i}\n" for i in range(10)))
    recipe = load_recipe("book", [data_override(path)])
    assert (recipe.samples, recipe.noise, recipe.data.target) == (10, 0.0, None)
    assert recipe.data.csv == path.read_bytes()
    assert recipe == load_recipe("book", [parse_override(f"data.file={path}")])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("samples=5", "samples is 5; allowed: nothing, or 10: the rows of"),
        ("noise=0.1", r"noise is 0\.1; allowed: nothing, or 0"),
        ("data.target=cos", r"data\.target and data\.file are both there"),
        ("after=[{step='refine', budget=1}]", "needs to know the function behind the samples"),
        ("train_fraction=0.05", "cut 10 samples into 0, 2 and 8"),
    ],
)
def test_data_and_a_key_that_contradicts_them(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("x,y\n" + "".join(f"{i},{i * i}\n" for i in range(10)))
    with pytest.raises(UsageError, match=words):
        load_recipe("book", [data_override(path), parse_override(text)])


def test_a_file_in_a_recipe_lies_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [f"{i},{i * i}\n" for i in range(10)]
    (tmp_path / "mine.csv").write_text("".join(["x,y\n", *lines]))
    text = "".join(
        line for line in BOOK_TEXT.splitlines(True) if not line.startswith(("samples", "noise", "target"))
    ).replace("[data]", '[data]\nfile = "mine.csv"')
    (tmp_path / "my.toml").write_text(text)
    assert load_recipe(str(tmp_path / "my.toml")).samples == 10
    monkeypatch.chdir(tmp_path)
    assert load_recipe("./my.toml").samples == load_recipe("my.toml").samples == 10
    (tmp_path / "my.toml").write_text("samples = 9\n" + text)
    with pytest.raises(ArtefactError, match=r"samples is 9; allowed: nothing, or 10"):
        load_recipe("my.toml")
    assert load_recipe("my.toml", [parse_override("data.target=sin"), parse_override("noise=0")]).samples == 9


BOOK_TEXT = (Path(__file__).parents[2] / "pipeline/sinehil_pipeline/recipes/book.toml").read_text()
