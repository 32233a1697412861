"""Recipes that are refused: one sentence that names file, key, value and what is allowed."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recipe_texts import MINIMAL, changed, written

from sinehil.errors import ArtefactError, UsageError
from sinehil_pipeline.recipes import load_recipe
from sinehil_pipeline.recipes.checked_table import RecipeTable
from sinehil_pipeline.recipes.recipe_checks import KNOWN_KEYS, build_recipe


@pytest.mark.parametrize(
    ("key", "line", "words"),
    [
        ("samples", "samples = 2", "samples is 2; allowed: a whole number from 3 to 100000"),
        ("samples", "samples = 10_000_000", "samples is 10000000; allowed"),
        ("samples", "samples = 0x" + "f" * 9000, "samples is a whole number of 36000 bits; allowed"),
        ("samples", "samples = 100.0", r"samples is 100\.0; allowed: a whole number"),
        ("samples", "samples = true", "samples is true; allowed"),
        ("samples", 'samples = "many"', "samples is 'many'; allowed"),
        ("samples", "samples = 1979-05-27", "samples is datetime.date.*; allowed"),
        ("samples", "samples = 4", "cut 4 samples into 2, 1 and 1|$^"),
        ("seed", "seed = -1", "seed is -1; allowed: a whole number from 0 to 4294967295"),
        ("noise", "noise = nan", "noise is nan; allowed: a number from 0 to 100"),
        ("noise", "noise = -0.1", r"noise is -0\.1; allowed"),
        ("noise", "noise = 1e999", "noise is inf; allowed"),
        ("noise", "noise = false", "noise is false; allowed"),
        (
            "train_fraction",
            "train_fraction = 0.8",
            "cut 100 samples into 80, 25 and -5; allowed: at least one",
        ),
        ("train_fraction", "train_fraction = 0", "cut 100 samples into 0, 25 and 75"),
        ("validation_fraction", "validation_fraction = 0.501", "allowed: a number from 0 to 0.5"),
        (
            "hidden",
            "hidden = []",
            r"final\.hidden is \[\]; allowed: a list of 1 to 4 whole numbers from 1 to 64",
        ),
        ("hidden", "hidden = [1, 2, 3, 4, 5]", r"final\.hidden is \[1, 2, 3, 4, 5\]; allowed"),
        ("hidden", "hidden = [65]", r"final\.hidden is \[65\]; allowed"),
        ("hidden", "hidden = [16, true]", r"final\.hidden is \[16, true\]; allowed"),
        ("hidden", "hidden = 16", r"final\.hidden is 16; allowed"),
        ("hidden", "hidden = [[16]]", r"final\.hidden is \[\[\.\.\.\]\]; allowed"),
        ("epochs", "epochs = 0", r"final\.epochs is 0; allowed"),
        ("batch_size", "batch_size = 1025", r"final\.batch_size is 1025; allowed"),
        ("batch_size", "", r"final\.batch_size is missing; allowed: a whole number from 1 to 1024"),
        (
            "batch_size",
            'batch_size = 8\nactivation = "tanh"',
            r"final\.activation is 'tanh'; allowed: relu or relu6",
        ),
        ("batch_size", 'batch_size = 8\ninit = "he"', "init is 'he'; allowed: keras or spread"),
        ("batch_size", 'batch_size = 8\noptimizer = "adam"', r"allowed: a table: \[final\.optimizer\]"),
        ("batch_size", 'batch_size = 8\noptimizer.name = "lion"', "allowed: one of rmsprop, adam, sgd"),
        ("batch_size", "batch_size = 8\noptimizer.learning_rate = 0", "learning_rate is 0; allowed"),
        ("batch_size", 'batch_size = 8\noptimizer.schedule = "step"', "allowed: constant or cosine"),
        ("batch_size", 'batch_size = 8\nname = "../../x"', r"final\.name is '\.\./\.\./x'; allowed: model_2"),
        ("max_tries", "max_tries = 0", r"gate\.max_tries is 0; allowed"),
        ("max_val_mse", "max_val_mse = inf", r"gate\.max_val_mse is inf; allowed"),
        ("name", 'name = "a/b"', "name is 'a/b'; allowed: 1 to 40 letters"),
        ("name", 'name = ""', "name is ''; allowed"),
        ("representative_samples", "representative_samples = 1", "representative_samples is 1; allowed"),
        ("representative_samples", 'representative_samples = 9\nrepresentative = "all"', "evenly or test"),
        ("max_tries", 'max_tries = 2\n[data]\ntarget = "tan"', "allowed: one of sin, cos, sinc, gaussian"),
        ("max_tries", 'max_tries = 2\n[data]\ntarget = "sin"\nfile = "x.csv"', "cannot be read"),
        ("max_tries", "max_tries = 2\n[data]\nfile = 3", r"data\.file is 3; allowed: the path of a CSV file"),
        ("max_tries", "max_tries = 2\n[quantization]\nio = 'int16'", "io is 'int16'; allowed: float or int8"),
        ("max_tries", "max_tries = 2\n[quantization]\ngranularity = 8", "allowed: per_channel or per_tensor"),
        ("max_tries", "max_tries = 2\n[after]\nstep = 'refine'", r"allowed: up to 8 tables: \[\[after\]\]"),
        (
            "max_tries",
            "max_tries = 2\n[[after]]\nstep = 'prune'",
            r"after\.0\.step is 'prune'; allowed: refine",
        ),
        ("max_tries", "max_tries = 2\n[[after]]\nstep = 'refine'", r"after\.0\.budget is missing; allowed"),
        ("max_tries", "max_tries = 2\n" + "[[after]]\nstep='refine'\nbudget=1\n" * 9, "up to 8 tables"),
    ],
)
def test_each_value_is_checked(tmp_path: Path, key: str, line: str, words: str) -> None:
    if words.endswith("|$^"):  # the control: the smallest recipe that is right
        assert load_recipe(written(tmp_path, changed(key, line))).samples == 4
        return
    path = written(tmp_path, changed(key, line))
    with pytest.raises(ArtefactError, match=words) as found:
        load_recipe(path)
    assert found.value.message.startswith(path) or "cannot be read" in words
    assert found.value.next_step


@pytest.mark.parametrize(
    ("extra", "hint"),
    [
        (
            "epoch = 3",
            r"there is no key 'gate.epoch'; there are: gate.max_val_mse, gate.max_tries|did you mean",
        ),
        ("[final.optimizer]\nlr = 1", r"no key 'final.optimizer.lr'; there are: final.optimizer.name, "),
        ("[final.optimizer]\nlearningrate = 1", r"did you mean final\.optimizer\.learning_rate\?"),
        ("max_try = 3", r"did you mean gate\.max_tries\?"),
        ("[quantisation]\nio = 'int8'", r"no key 'quantisation'; did you mean quantization\?"),
        ("[[after]]\nsteps = 'refine'", r"no key 'after\.0\.steps'; did you mean after\.0\.step\?"),
        ("[data]\nsin = 1", r"no key 'data\.sin'; there are: data\.target, data\.file"),
    ],
)
def test_unknown_keys_are_refused_with_the_nearest(tmp_path: Path, extra: str, hint: str) -> None:
    with pytest.raises(ArtefactError, match=hint):
        load_recipe(written(tmp_path, MINIMAL + extra))


def test_a_models_key_at_the_top_is_sent_where_it_belongs(tmp_path: Path) -> None:
    with pytest.raises(
        ArtefactError, match=r"no key 'epochs'; did you mean final\.epochs or baseline\.epochs\?"
    ):
        load_recipe(written(tmp_path, "epochs = 3\n" + MINIMAL))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("samples = 1\nsamples = 2", "is not TOML: Cannot overwrite a value"),
        ("[gate]\n[gate]", "is not TOML: Cannot declare .* twice"),
        ("samples == 1", "is not TOML"),
        ("x = " + "[" * 5000, "nested too deeply"),
        ("x = " + "{a=" * 5000, "nested too deeply"),
        ("a." * 5000 + "b = 1", "no key 'a'"),
        ("x = " + "9" * 5000, "is not TOML: Exceeds the limit"),
        ("k" * 5000 + " = 1", "no key 'kkkkk.*kkk'; there are"),
        (b"name = '\xff'", "is not UTF-8 text: byte 8"),
        (b"\x00", "is not TOML"),
        ("\x1b[31m = 1", "is not TOML"),
        ('"\\u001b[31m" = 1', r"no key '\\x1b\[31m'"),
        ("#" * (64 << 10), "is missing"),
        ("#" * ((64 << 10) + 1), "has more than 65536 bytes"),
        ("", "samples is missing"),
    ],
)
def test_files_that_are_no_recipe(tmp_path: Path, text: str | bytes, words: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ArtefactError, match=words) as found:
        load_recipe(path)
    assert len(found.value.message) < 500 + len(path)


def test_an_endless_file_is_not_read_to_its_end() -> None:
    with pytest.raises(UsageError, match="no recipe 'zero'"):
        load_recipe("zero")
    with pytest.raises(ArtefactError, match="a pipe or a device"):
        load_recipe("/dev/zero")


@pytest.mark.parametrize("name", ["none.toml", "./none", "a\0b/x.toml"])
def test_a_recipe_that_is_not_there(name: str) -> None:
    with pytest.raises(ArtefactError, match="cannot be read"):
        load_recipe(name)


def test_a_name_that_is_no_file_is_a_slip_on_the_command_line() -> None:
    with pytest.raises(UsageError, match="no recipe 'boook'") as found:
        load_recipe("boook")
    assert "book, precise" in found.value.next_step


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from([*KNOWN_KEYS]), JSON)
def test_no_value_at_any_key_is_more_than_a_refusal(key: str, value: object) -> None:
    table, _, last = key.rpartition(".")
    document: dict[str, object] = {
        "name": "x", "seed": 1, "samples": 9, "noise": 0, "train_fraction": 0.5, "validation_fraction": 0.25,
        "representative_samples": 9, "gate": {"max_val_mse": 1, "max_tries": 1},
        "baseline": {"hidden": [1], "epochs": 1, "batch_size": 1},
        "final": {"hidden": [1], "epochs": 1, "batch_size": 1, "optimizer": {}}, "quantization": {}, "data": {},
    }  # fmt: skip
    inner: dict[str, object] = document
    for part in table.split(".") if table else ():
        inner = inner.setdefault(part, {})  # type: ignore[assignment]
    inner[last] = value
    try:
        recipe = build_recipe(RecipeTable("x.toml", document), None, "")
    except ArtefactError:
        return
    assert math.isfinite(recipe.noise) and 3 <= recipe.samples <= 100_000
