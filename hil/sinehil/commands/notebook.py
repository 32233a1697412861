"""``sinehil notebook``: the book's chapter as a notebook, in JupyterLab."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from sinehil.base.console import Console
from sinehil.commands import options


class Language(StrEnum):
    """Of the text; the code is the same."""

    EN = "en"
    KO = "ko"


NAMES = {Language.EN: "sine_model.ipynb", Language.KO: "sine_model.ko.ipynb"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("notebook")(notebook)


def notebook(
    language: Annotated[Language, typer.Option(help="Language of the text.")] = Language.EN,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Where the notebook is put and writes its files.")
    ] = Path("notebook"),
    browser: Annotated[bool, typer.Option(help="Open a browser.")] = True,
    as_json: options.AsJson = False,
) -> None:
    """Open the book's chapter 4 as a notebook in JupyterLab, until Ctrl-C.

    It is copied into DIR first; a copy that is there already stays as it is.
    """
    from sinehil.jobs.notebook import open_notebook

    open_notebook(Console(as_json), NAMES[language], out, browser)
