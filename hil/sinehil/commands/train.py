"""``sinehil train``: data, training, conversion, export."""

from pathlib import Path
from typing import Annotated

import typer

from sinehil.commands import options
from sinehil.console import Console


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("train")(train)
