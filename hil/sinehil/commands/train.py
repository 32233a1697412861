"""``sinehil train``: data, training, conversion, export."""

import sys
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sinehil.base.console import Console
from sinehil.base.manifest import PAGE, Manifest, changed_files, read_manifest
from sinehil.base.untrusted_text import visible_lines
from sinehil.commands import options, recipe_options
from sinehil.commands.recipe_options import DEFAULT_RECIPE
from sinehil.errors import UsageError
from sinehil.jobs.training_bar import TrainingBar

if TYPE_CHECKING:
    from sinehil_pipeline.config import Recipe
    from sinehil_pipeline.recipes import Override
    from sinehil_pipeline.run import TrainingSummary


class Trainer(StrEnum):
    """portable: NumPy, the same bytes on every machine; keras: Model.fit, literally the book."""

    PORTABLE = "portable"
    KERAS = "keras"


HELP = """Make the samples, train both models, convert the second to TFLite, export it as C, draw the plots.

What is trained is a recipe: `book` (the default), `precise`, or a TOML file of your own. To start one:

    sinehil train --print-recipe > my.toml

    sinehil train --recipe my.toml

Every key can be set here as well, a value being what TOML has behind the equals sign:

    sinehil train --set final.epochs=100 --set 'final.hidden=[32, 16]'

    sinehil train --set data.target=cos --set final.optimizer.name=adam

    sinehil train --data samples.csv

The manifest in the artefact folder carries the whole recipe, so that a run can be repeated, or varied:

    sinehil train --from artifacts/manifest.json --out again
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("train", help=HELP)(train)


def train(
    recipe: recipe_options.RecipeName = None,
    from_: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="MANIFEST", help="Repeat the run of this manifest.json, byte for byte."
        ),
    ] = None,
    set_: recipe_options.Set = None,
    data: recipe_options.Data = None,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=2**32 - 1,
            help="Seed of samples and initial weights (--set seed); the book's recipe has 137.",
        ),
    ] = None,
    trainer: Annotated[
        Trainer | None,
        typer.Option(
            help="portable (the default): the same bytes on every machine; keras: Model.fit, as the book has it."
        ),
    ] = None,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="The artefact folder to fill.")] = (
        options.DEFAULT_ARTIFACTS
    ),
    print_recipe: Annotated[
        bool, typer.Option("--print-recipe", help="Print the recipe's file with its comments, and exit.")
    ] = False,
    as_json: options.AsJson = False,
) -> None:
    """Train, or show what would be trained."""
    overrides = recipe_options.overrides(set_, data, seed)
    if print_recipe:
        _print_recipe(recipe, from_ is not None or bool(overrides))
        return
    console = Console(as_json)
    chosen, earlier = _choose(recipe, from_, overrides)
    wanted = trainer or (Trainer.PORTABLE if earlier is None else _trainer_of(earlier))
    summary = run_training(console, chosen, wanted, out)
    for line in summary.lines():
        console.say(line)
    written = read_manifest(out)
    changed = None if earlier is None else changed_files(earlier, written)
    if changed is not None:
        console.say(_comparison(changed))
    page = str(out / PAGE) if PAGE in written.files else None
    console.say(f"artefacts: {out}")
    if page is not None:
        console.say(f"page: {page}")
    result = {"artifacts": str(out), "page": page, **asdict(summary), "recipe": chosen.as_dict()}
    console.result(result if changed is None else {**result, "changed_files": changed})


def run_training(console: Console, recipe: "Recipe", trainer: Trainer, out: Path) -> "TrainingSummary":
    """Train into ``out`` as one stage with a live bar."""
    from sinehil_pipeline.run import train as run

    with console.stage("train") as stage:
        summary = run(recipe, out, trainer.value, TrainingBar(stage, models=2))
        stage.note = summary.headline()
    return summary


def _choose(
    name: str | None, manifest: Path | None, overrides: "list[Override]"
) -> "tuple[Recipe, Manifest | None]":
    """Return the recipe, and the manifest it comes from if --from names one."""
    from sinehil_pipeline.recipes import load_recipe, repeated_recipe

    if manifest is None:
        return load_recipe(name or DEFAULT_RECIPE, overrides), None
    if name is not None:
        raise UsageError("--recipe and --from both name a recipe", "give one of them")
    return repeated_recipe(manifest, overrides)


def _trainer_of(earlier: Manifest) -> Trainer:
    try:
        return Trainer(earlier.trainer)
    except ValueError:
        raise UsageError(
            f"the manifest names a trainer that this version does not have: {earlier.trainer[:40]!r}",
            f"choose one: --trainer {' or --trainer '.join(Trainer)}",
        ) from None


def _comparison(changed: list[str]) -> str:
    if not changed:
        return "every file has the bytes that the manifest named"
    return f"{len(changed)} files differ from those that the manifest named: {', '.join(changed)}"


def _print_recipe(name: str | None, varied: bool) -> None:
    from sinehil_pipeline.recipes import recipe_text

    if varied:
        raise UsageError(
            "--print-recipe prints a recipe's file as it is", "give it --recipe alone, or nothing"
        )
    text = recipe_text(name or DEFAULT_RECIPE)
    typer.echo(visible_lines(text) if sys.stdout.isatty() else text, nl=False)
