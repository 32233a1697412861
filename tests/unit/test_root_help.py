"""The root help and the names of the commands, against what Typer makes of the commands themselves."""

import os
import statistics
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main
from tests.conftest import Cli

from sinehil.commands.application import application
from sinehil.commands.root_help import COMMANDS, TEXT, named_commands

SINEHIL = [sys.executable, "-m", "sinehil"]


def typers_help(names: tuple[str, ...], columns: int) -> str:
    group = typer.main.get_command(application(names))
    with group.make_context("sinehil", [], resilient_parsing=True, terminal_width=columns - 2) as context:
        return group.get_help(context) + "\n"


def test_the_text_is_typers_own() -> None:
    assert typers_help(COMMANDS, 80) == TEXT
    assert typers_help(COMMANDS[1:], 80) != TEXT, "the control"


def test_each_command_is_a_module_and_the_other_way_round() -> None:
    folder = Path(__file__).parents[2] / "hil/sinehil/commands"
    found = [path for path in folder.rglob("*.py") if "\ndef register(" in path.read_text()]
    names = {path.parent.name if path.name == "__init__.py" else path.stem for path in found}
    assert names == set(COMMANDS) and len(found) == len(COMMANDS)


@pytest.mark.parametrize("columns", ["40", "60", "80", "200", "junk"])
def test_a_terminal_of_any_width_gets_typers_help(cli: Cli, columns: str) -> None:
    width = min(int(columns), 80) if columns.isdecimal() else 80
    assert cli("--help", env={"COLUMNS": columns}).stdout == typers_help(COMMANDS, max(width, 52))


def test_only_the_named_command_is_loaded() -> None:
    assert named_commands(["ports", "--json"]) == ("ports",)
    assert named_commands(["--version"]) == named_commands(["frobnicate"]) == COMMANDS
    code = "import sys; from sinehil.cli import _run; _run(['{}', '--help']); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", code.format("ports")], capture_output=True, text=True, check=True
    )
    loaded = {name for name in done.stderr.split() if name.startswith("sinehil.commands.")}
    assert loaded & {f"sinehil.commands.{name}" for name in COMMANDS} == {"sinehil.commands.ports"}


def modules_of(code: str) -> set[str]:
    ending = "\nimport sys; sys.stderr.write(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code + ending], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


def test_the_root_help_loads_neither_typer_nor_a_command() -> None:
    extra = modules_of("from sinehil.cli import _run; _run(['--help'])") - modules_of("pass")
    assert not any(name.startswith(("typer", "click", "rich")) for name in extra)
    assert not extra & {f"sinehil.commands.{name}" for name in COMMANDS}
    assert len(extra) < 60, sorted(extra)
    assert "typer" in modules_of("from sinehil.cli import _run; _run(['ports', '--help'])"), "the control"


def median_cpu_s(command: list[str]) -> float:
    def once() -> float:
        silent = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
        process = os.posix_spawn(command[0], command, os.environ, file_actions=silent)
        usage = os.wait4(process, 0)[2]
        return usage.ru_utime + usage.ru_stime

    return statistics.median(once() for _ in range(15))


@pytest.mark.slow
def test_the_root_help_takes_at_most_four_times_an_empty_program() -> None:
    assert median_cpu_s([*SINEHIL, "--help"]) <= 4 * median_cpu_s([sys.executable, "-c", "pass"])
