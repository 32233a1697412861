"""The root help as static text, which needs no import of Typer, and the commands' names from it."""

import os
import sys

HELP = (
    "Train the TinyML sine model, flash it onto a real or virtual Arduino, and prove the board right.\n\n"
    "Start with `sinehil demo`, or on a bench: train, flash --port P, verify --port P."
)
EPILOG = (
    "Exit codes: 0 done or PASS, 1 FAIL, 2 usage, 3 link, 4 identity, 5 tool, "
    "6 artefact, 7 quality, 130 interrupted."
)

# Typer's own text, of a terminal with 80 columns or more; tests/unit/test_root_help.py compares the two.
TEXT = """\
Usage: sinehil [OPTIONS] COMMAND [ARGS]...

  Train the TinyML sine model, flash it onto a real or virtual Arduino, and
  prove the board right.

  Start with `sinehil demo`, or on a bench: train, flash --port P, verify
  --port P.

Options:
  --version      Print the version and exit.
  -v, --verbose  Say on stderr what happens, with -vv in detail; may stand
                 behind the command too.
  -h, --help     Show this message and exit.

Commands:
  train     Make the samples, train both models, convert the second to...
  sweep     Train a recipe from many seeds, and draw how often it learns,...
  compile   Generate the kernel, prove it equal to the interpreter, and...
  flash     Compile the sketch if needed and upload it to the board on PORT.
  verify    Check the board's identity, then compare its outputs bit for...
  soak      Flash, verify, reset and stream in a loop on one or several...
  demo      Train, convert, compile, flash a virtual Uno through its...
  notebook  Open the book's chapter 4 as a notebook in JupyterLab, until...
  sketch    Write the sketch with its generated kernel, ready to open in...
  ports     List serial ports and running virtual boards.
  setup     Build arduino-cli, the virtual board and its bootloader now,...
  doctor    Check every tool the work needs; exit 5 if one is missing.
  bench     Measure cycles per inference on the board, and bytes and time...
  virtual   Virtual boards: the real firmware on a simulated chip.
  audit     Measure what a PASS is worth.

  Exit codes: 0 done or PASS, 1 FAIL, 2 usage, 3 link, 4 identity, 5 tool, 6
  artefact, 7 quality, 130 interrupted.
"""
MAX_COLUMNS = 80
_COMMANDS = TEXT.partition("\nCommands:\n")[2].partition("\n\n")[0]
COMMANDS = tuple(line.split()[0] for line in _COMMANDS.splitlines())  # module sinehil.commands.NAME


def named_commands(words: list[str]) -> tuple[str, ...]:
    """Return the command that a command line names, or all of them where it names none."""
    first = next((word for word in words if not word.startswith("-")), None)
    return (first,) if first in COMMANDS else COMMANDS


def print_without_typer() -> bool:
    """Print the root help if the terminal is one for which Typer would write exactly this text; else return False."""
    fits = _fits_terminal()
    if fits:
        try:
            sys.stdout.write(TEXT)
            sys.stdout.flush()
        except BrokenPipeError:  # `| head`: what is still buffered must not fail at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return fits


def _fits_terminal() -> bool:
    columns = os.environ.get("COLUMNS")
    if columns:
        return columns.isdecimal() and int(columns) >= MAX_COLUMNS
    try:
        return os.get_terminal_size(sys.__stdout__.fileno() if sys.__stdout__ else -1).columns >= MAX_COLUMNS
    except (OSError, ValueError):  # no terminal: Typer takes 80 columns
        return True
