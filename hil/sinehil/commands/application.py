"""The Typer application: the options that stand before a command, and the commands that a command line needs."""

import importlib
from collections.abc import Iterable
from typing import Annotated

import typer

from sinehil import __version__
from sinehil.base.logs import configure_logging
from sinehil.commands import root_help


def application(names: Iterable[str]) -> typer.Typer:
    """Return the application with these commands alone: each costs the import of its module."""
    app = typer.Typer(
        name="sinehil",
        help=root_help.HELP,
        epilog=root_help.EPILOG,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_root)
    for name in names:
        importlib.import_module(f"sinehil.commands.{name}").register(app)
    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sinehil {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
    verbose: Annotated[
        int,
        typer.Option(
            "--verbose",
            "-v",
            count=True,
            show_default=False,
            callback=configure_logging,
            help="Say on stderr what happens, with -vv in detail; may stand behind the command too.",
        ),
    ] = 0,
) -> None:
    """Take the options that stand before a command; each acts by its own callback."""
