"""``sinehil demo``: the whole main job, without a board."""

from pathlib import Path
from typing import Annotated

import typer

from sinehil.commands import options
from sinehil.console import Console
from sinehil.errors import ExitCode


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(demo)
