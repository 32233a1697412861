"""``sinehil sketch``: the staged sketch, for people who open it in the Arduino IDE."""

from pathlib import Path
from typing import Annotated

import typer

from sinehil.commands import options
from sinehil.console import Console


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("sketch")(sketch)


def sketch(
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="The sketch lands in DIR/arduino_sketch.")
    ],
    artifacts: options.Artifacts = options.DEFAULT_ARTIFACTS,
    model: options.Model = None,
    oracle: options.Oracle = options.DEFAULT_ORACLE,
    as_json: options.AsJson = False,
) -> None:
    """Write the sketch with its generated kernel, ready to open in the Arduino IDE."""
    from sinehil.arduino import stage_sketch
    from sinehil.commands import steps

    steps.check_oracle(oracle)
    console = Console(as_json)
    folder = stage_sketch(steps.make_kernel(steps.load_model(artifacts, model), oracle).source, out)
    console.say(f"sketch: {folder} (open {folder.name}.ino in the Arduino IDE)")
    console.result({"sketch": str(folder)})
