"""The console script: runs a command line and turns every expected failure into one sentence and an exit code."""

import json
import signal
import sys
from types import FrameType
from typing import NoReturn

from sinehil.base.untrusted_text import visible_lines
from sinehil.commands import root_help
from sinehil.errors import ExitCode, SinehilError, ToolError


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
    if words in (["--help"], ["-h"]) and root_help.print_without_typer():
        return ExitCode.OK
    import typer

    as_json = "--json" in words
    try:
        code = int(_invoke(words) or ExitCode.OK)
    except typer.TyperException as error:
        return _fail(ExitCode.USAGE, error.format_message(), "see `sinehil COMMAND --help`", as_json)
    except SinehilError as error:
        if isinstance(error, ToolError) and error.output:
            sys.stderr.write(visible_lines(error.output.rstrip()) + "\n")
        return _fail(error.exit_code, error.message, error.next_step, as_json)
    if code == ExitCode.INTERRUPTED:
        return _fail(code, "interrupted; files from earlier runs are untouched", "", as_json)
    return code


def _invoke(words: list[str]) -> int | None:
    """Run the command that ``words`` name; only its module is imported."""
    from sinehil.base.logs import verbosity_first
    from sinehil.commands.application import application

    app = application(root_help.named_commands(words))
    code: int | None = app(verbosity_first(words), prog_name="sinehil", standalone_mode=False)
    return code


def _fail(code: int, message: str, next_step: str, as_json: bool) -> int:
    sys.stderr.write(f"sinehil: {visible_lines(message)}\n")  # a board or file may have had a say in it
    if next_step:
        sys.stderr.write(f"  next: {visible_lines(next_step)}\n")
    if as_json:
        document = {"error": {"message": message, "next_step": next_step, "exit_code": int(code)}}
        sys.stdout.write(json.dumps(document, indent=1) + "\n")
    return int(code)
