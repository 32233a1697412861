"""``sinehil sketch``: the staged sketch, for people who open it in the Arduino IDE."""

from pathlib import Path
from typing import Annotated

import typer

from sinehil.base.console import Console
from sinehil.commands import options


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("sketch")(sketch)


def sketch(
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="The sketch lands in DIR/arduino_sketch.")
    ],
    artifacts: options.Artifacts = options.DEFAULT_ARTIFACTS,
    model: options.Model = None,
    optimize: Annotated[
        str,
        typer.Option(metavar="KIND", help="portable (C for every board), or for AVRs speed, size or table."),
    ] = "portable",
    oracle: options.Oracle = options.DEFAULT_ORACLE,
    as_json: options.AsJson = False,
) -> None:
    """Write the sketch with its generated kernel, ready to open in the Arduino IDE."""
    from sinehil.arduino import stage_sketch
    from sinehil.jobs.firmware import kernel_sources
    from sinehil.jobs.selection import select

    console = Console(as_json)
    loaded = select(artifacts, model, oracle=oracle).model
    folder = stage_sketch(kernel_sources(loaded, oracle, optimize), out)
    console.say(f"sketch: {folder} (open {folder.name}.ino in the Arduino IDE)")
    console.result({"sketch": str(folder)})
