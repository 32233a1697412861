"""``sinehil sweep``: one recipe from many seeds."""

from pathlib import Path
from typing import Annotated

import typer

from sinehil.base.console import Console
from sinehil.commands import options

HELP = """Train a recipe from many seeds, and draw how often it learns, and how well.

From each seed, which makes the samples and the initial weights, model_2 is trained once by the portable trainer,
converted to int8 and measured; a result above the gate is a result. The recipe's steps after training are left out.

    sinehil sweep --seeds 0:200

A sweep can be stopped at any time: the same command goes on where it was, and one with more seeds adds to it. DIR gets
results.jsonl (a line for each seed, as it comes), and at the end sweep.csv and sweep.png.
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("sweep", help=HELP)(sweep)


def sweep(
    recipe: options.RecipeName = None,
    set_: options.Set = None,
    data: options.Data = None,
    seeds: Annotated[
        str, typer.Option(metavar="A:B", help="From A to B - 1; also A:B:STEP, and lists: 0:50,137.")
    ] = "0:200",
    jobs: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=256,
            metavar="N",
            help="Worker processes, of 240 MB each and 360 MB in common; else one a core.",
        ),
    ] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the results are, and go.")] = Path("sweep"),
    as_json: options.AsJson = False,
) -> None:
    """Sweep, or go on with a sweep."""
    from sinehil.jobs import training

    console = Console(as_json)
    chosen, _ = training.choose_recipe(recipe, None, training.overrides(set_, data))
    document = training.sweep_seeds(console, chosen, seeds, jobs, out)
    if chosen.after:
        console.say(f"the steps after training that {chosen.name} has were left out")
    console.say(f"plot: {document['plot']}")
    console.say(f"table: {document['table']}")
    console.result(document)
