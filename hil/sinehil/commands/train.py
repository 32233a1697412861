"""``sinehil train``: data, training, conversion, export."""

import sys
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from sinehil.base.console import Console
from sinehil.base.manifest import PAGE, changed_files, read_manifest
from sinehil.base.untrusted_text import visible_lines
from sinehil.commands import options


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
    recipe: options.RecipeName = None,
    from_: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="MANIFEST", help="Repeat the run of this manifest.json, byte for byte."
        ),
    ] = None,
    set_: options.Set = None,
    data: options.Data = None,
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
    from sinehil.jobs import training

    overrides = training.overrides(set_, data, seed)
    if print_recipe:
        text = training.recipe_file(recipe, from_ is not None or bool(overrides))
        typer.echo(visible_lines(text) if sys.stdout.isatty() else text, nl=False)
        return
    console = Console(as_json)
    chosen, earlier = training.choose_recipe(recipe, from_, overrides)
    summary = training.run_training(
        console, chosen, trainer.value if trainer else training.trainer_of(earlier), out
    )
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


def _comparison(changed: list[str]) -> str:
    if not changed:
        return "every file has the bytes that the manifest named"
    return f"{len(changed)} files differ from those that the manifest named: {', '.join(changed)}"
