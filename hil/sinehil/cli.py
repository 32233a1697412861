"""The console script: assembles the commands and turns every expected failure into one sentence and an exit code."""

import json
import signal
import sys
from types import FrameType
from typing import Annotated, NoReturn

import typer

from sinehil import __version__
from sinehil.base.untrusted_text import visible_lines
from sinehil.commands import (
    audit,
    bench,
    compile_,
    demo,
    doctor,
    flash,
    notebook,
    ports,
    setup,
    sketch,
    soak,
    sweep,
    train,
    verify,
    virtual,
)
from sinehil.errors import ExitCode, SinehilError, ToolError

EPILOG = (
    "Exit codes: 0 done or PASS, 1 FAIL, 2 usage, 3 link, 4 identity, 5 tool, "
    "6 artefact, 7 quality, 130 interrupted."
)

app = typer.Typer(
    name="sinehil",
    help="Train the TinyML sine model, flash it onto a real or virtual Arduino, and prove the board right.\n\n"
    "Start with `sinehil demo`, or on a bench: train, flash --port P, verify --port P.",
    epilog=EPILOG,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sinehil {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    """Take the options that stand before a command; each acts by its own callback."""


for module in (
    train,
    sweep,
    compile_,
    flash,
    verify,
    bench,
    soak,
    demo,
    notebook,
    virtual,
    sketch,
    ports,
    setup,
    doctor,
    audit,
):
    module.register(app)


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    """SIGTERM and SIGHUP take the same way out as Ctrl-C, so that boards and half-written files are cleaned up."""
    raise KeyboardInterrupt


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit with the documented code."""
    words = sys.argv[1:] if arguments is None else arguments
    signal.signal(signal.SIGTERM, _interrupt)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup ignores it, and means it
        signal.signal(signal.SIGHUP, _interrupt)
    sys.exit(_run(words or ["--help"]))


def _run(words: list[str]) -> int:
    as_json = "--json" in words
    try:
        code = int(app(words, standalone_mode=False) or ExitCode.OK)
    except typer.TyperException as error:
        return _fail(ExitCode.USAGE, error.format_message(), "see `sinehil COMMAND --help`", as_json)
    except SinehilError as error:
        if isinstance(error, ToolError) and error.output:
            sys.stderr.write(visible_lines(error.output.rstrip()) + "\n")
        return _fail(error.exit_code, error.message, error.next_step, as_json)
    if code == ExitCode.INTERRUPTED:
        return _fail(code, "interrupted; files from earlier runs are untouched", "", as_json)
    return code


def _fail(code: int, message: str, next_step: str, as_json: bool) -> int:
    sys.stderr.write(f"sinehil: {visible_lines(message)}\n")  # a board or file may have had a say in it
    if next_step:
        sys.stderr.write(f"  next: {visible_lines(next_step)}\n")
    if as_json:
        document = {"error": {"message": message, "next_step": next_step, "exit_code": int(code)}}
        sys.stdout.write(json.dumps(document, indent=1) + "\n")
    return int(code)
