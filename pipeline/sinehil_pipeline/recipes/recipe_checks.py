"""Build a Recipe from TOML tables, checking type and range of every key. Reads no file."""

import re
from dataclasses import fields
from typing import get_args

from sinehil.model.targets import TARGETS
from sinehil.model.tflite import MAX_WIDTH
from sinehil_pipeline.config import (
    DataRecipe,
    EndTypes,
    GateRecipe,
    Granularity,
    Initialisation,
    ModelRecipe,
    QuantizationRecipe,
    Recipe,
    Refine,
    RefinementStep,
    Representative,
)
from sinehil_pipeline.data.csv_samples import MAX_ROWS, parse_csv
from sinehil_pipeline.data.samples import split_ends
from sinehil_pipeline.recipes.checked_table import RecipeTable
from sinehil_pipeline.training.gradients import ACTIVATIONS
from sinehil_pipeline.training.optimizers import KERAS_LEARNING_RATES, SCHEDULES, Optimizer

# What keeps every array of a training below about a gigabyte, whatever else the recipe says.
MAX_SAMPLES, MAX_EPOCHS, MAX_BATCH, MAX_LAYERS = MAX_ROWS, 100_000, 1024, 4
MAX_SEED = 2**32 - 1
MAX_NOISE = 100.0
MAX_VALIDATION = 0.5
MAX_BUDGET = 100_000_000
MAX_STEPS = 8
BASELINE, FINAL = "model_1", "model_2"  # their artefacts' folders

INITS: tuple[Initialisation, ...] = get_args(Initialisation)
REPRESENTATIVE: tuple[Representative, ...] = get_args(Representative)
GRANULARITIES: tuple[Granularity, ...] = get_args(Granularity)
END_TYPES: tuple[EndTypes, ...] = get_args(EndTypes)
STEPS: tuple[RefinementStep, ...] = get_args(RefinementStep)


def build_recipe(table: RecipeTable, csv: bytes | None, csv_name: str) -> Recipe:
    """Check everything; ``csv`` is the content of the file that ``data.file`` names, if it names one.

    Raises ArtefactError or, for what the command line set, UsageError.
    """
    table.check_keys(_names(Recipe), KNOWN_KEYS)
    data = _data(table.table("data"), csv)
    samples, noise = _samples_and_noise(table, csv, csv_name)
    train, validation = _fractions(table, samples)
    return Recipe(
        name=_name(table),
        samples=samples,
        seed=table.whole("seed", 0, MAX_SEED),
        noise=noise,
        train_fraction=train,
        validation_fraction=validation,
        baseline=_model(table.table("baseline"), BASELINE),
        final=_model(table.table("final"), FINAL),
        gate=_gate(table.table("gate")),
        representative_samples=table.whole("representative_samples", 2, MAX_SAMPLES),
        representative=table.choice("representative", REPRESENTATIVE, Recipe.representative),
        data=data,
        quantization=_quantization(table.table("quantization")),
        after=_steps(table, data),
    )


def _names(*kinds: type) -> list[str]:
    return [item.name for kind in kinds for item in fields(kind)]


def _below(prefix: str, kind: type) -> list[str]:
    return [f"{prefix}.{name}" for name in _names(kind)]


KNOWN_KEYS = [
    *_names(Recipe),
    *(key for model in ("final", "baseline") for key in _below(model, ModelRecipe)),
    *(key for model in ("final", "baseline") for key in _below(f"{model}.optimizer", Optimizer)),
    *_below("gate", GateRecipe),
    *_below("quantization", QuantizationRecipe),
    *("data.target", "data.file"),
]


def _name(table: RecipeTable) -> str:
    value = table.values.get("name")
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9_-]{1,40}", value):
        raise table.bad("name", "1 to 40 letters, digits, - and _")
    return value


def _data(table: RecipeTable, csv: bytes | None) -> DataRecipe:
    table.check_keys(("target", "file"))
    if table.has("target") and table.has("file"):
        raise table.refusal(
            ["target", "file"], "data.target and data.file are both there; allowed: one of them"
        )
    if csv is not None:
        return DataRecipe(None, csv)
    return DataRecipe(table.choice("target", TARGETS, DataRecipe.target))


def _samples_and_noise(table: RecipeTable, csv: bytes | None, csv_name: str) -> tuple[int, float]:
    """Return both; a file brings its own, so that a recipe may at most repeat them."""
    if csv is None:
        return table.whole("samples", 3, MAX_SAMPLES), table.number("noise", 0, MAX_NOISE)
    rows = len(parse_csv(csv, csv_name)[0])
    if table.values.get("samples", rows) != rows:
        raise table.bad("samples", f"nothing, or {rows}: the rows of {csv_name}")
    if table.values.get("noise", 0) != 0:
        raise table.bad("noise", f"nothing, or 0: the samples are those of {csv_name}")
    return rows, 0.0


def _fractions(table: RecipeTable, samples: int) -> tuple[float, float]:
    """Return both fractions, of which each of the three parts gets at least one sample."""
    train = table.number("train_fraction", 0, 1)
    validation = table.number("validation_fraction", 0, MAX_VALIDATION)
    train_end, validation_end = split_ends(samples, train, validation)
    if not 0 < train_end < validation_end < samples:
        sizes = f"{train_end}, {validation_end - train_end} and {samples - validation_end}"
        raise table.refusal(
            ["train_fraction", "validation_fraction", "samples", "data"],
            f"train_fraction {train:g} and validation_fraction {validation:g} cut {samples} samples into {sizes}; "
            "allowed: at least one each to train, validate and test with",
        )
    return train, validation


def _model(table: RecipeTable, name: str) -> ModelRecipe:
    table.check_keys(_names(ModelRecipe))
    return ModelRecipe(
        name=table.choice("name", (name,), name),
        hidden=table.wholes("hidden", (1, MAX_LAYERS), (1, MAX_WIDTH)),
        epochs=table.whole("epochs", 1, MAX_EPOCHS),
        batch_size=table.whole("batch_size", 1, MAX_BATCH),
        activation=table.choice("activation", ACTIVATIONS, ModelRecipe.activation),
        init=table.choice("init", INITS, ModelRecipe.init),
        optimizer=_optimizer(table.table("optimizer")),
    )


def _optimizer(table: RecipeTable) -> Optimizer:
    table.check_keys(_names(Optimizer))
    name = table.choice("name", KERAS_LEARNING_RATES, Optimizer.name)
    return Optimizer(
        name=name,
        learning_rate=table.number("learning_rate", 1e-9, 1000, KERAS_LEARNING_RATES[name]),
        schedule=table.choice("schedule", SCHEDULES, Optimizer.schedule),
    )


def _gate(table: RecipeTable) -> GateRecipe:
    table.check_keys(_names(GateRecipe))
    return GateRecipe(table.number("max_val_mse", 0, 1e30), table.whole("max_tries", 1, 100))


def _quantization(table: RecipeTable) -> QuantizationRecipe:
    table.check_keys(_names(QuantizationRecipe))
    return QuantizationRecipe(
        table.choice("granularity", GRANULARITIES, QuantizationRecipe.granularity),
        table.choice("io", END_TYPES, QuantizationRecipe.io),
    )


def _steps(table: RecipeTable, data: DataRecipe) -> tuple[Refine, ...]:
    steps = tuple(_step(step) for step in table.tables("after", MAX_STEPS))
    if steps and data.target is None:
        raise table.refusal(
            ["after", "data"],
            "after has the step 'refine', which needs to know the function behind the samples; "
            "allowed: no steps with data.file",
        )
    return steps


def _step(table: RecipeTable) -> Refine:
    table.check_keys(_names(Refine))
    table.choice("step", STEPS)
    return Refine(table.whole("budget", 1, MAX_BUDGET), table.whole("seed", 0, MAX_SEED, Refine.seed))
