"""Check which tools are installed, and say how to get the missing ones."""

import re
from dataclasses import dataclass
from pathlib import Path

from sinehil import __version__
from sinehil.arduino.debian_packages import (
    EXPORT_TOOLS,
    FIRMWARE_TOOLS,
    KERNEL_CHECK_TOOLS,
    VIRTUAL_BOARD_BUILD_TOOLS,
    Requirement,
    how_to_install,
)
from sinehil.arduino.toolchain import HOW_TO_GET, cli_version, find_arduino_cli
from sinehil.base.tools import run
from sinehil.errors import ToolError
from sinehil.virtual.programs import virtual_board_program


@dataclass(frozen=True)
class ToolStatus:
    """One tool: whether it is here, and how to get it if not. ``version`` is empty if it does not tell."""

    name: str
    found: bool
    version: str
    path: Path | None
    hint: str


def check_tools() -> list[ToolStatus]:
    """Look for every tool; builds and installs nothing."""
    requirements = (*FIRMWARE_TOOLS, *KERNEL_CHECK_TOOLS, *EXPORT_TOOLS)
    return [_arduino_cli(), *(status_of(requirement) for requirement in requirements), *_virtual_board()]


def status_of(requirement: Requirement) -> ToolStatus:
    """Look for one requirement."""
    path = requirement.find()
    return ToolStatus(
        requirement.name,
        path is not None,
        "" if path is None else _version(requirement, path),
        path,
        how_to_install([requirement.package]),
    )


def version_in(words: str) -> str:
    """Return the first thing in a tool's words that looks like a version, as ``7.1`` or ``2022-01-14``."""
    match = re.search(r"\b\d+(?:\.\d+)+\b|\b\d{4}-\d\d-\d\d\b", words)
    return "" if match is None else match[0]


def _arduino_cli() -> ToolStatus:
    path = find_arduino_cli()
    version = "" if path is None else ".".join(str(number) for number in cli_version(path))
    return ToolStatus("arduino-cli", path is not None, version, path, HOW_TO_GET)


def _virtual_board() -> list[ToolStatus]:
    """Look for the finished program; only if it is still to be compiled, for what that takes."""
    program = virtual_board_program()
    if program.exists():
        return [ToolStatus("virtual board", True, __version__, program, "")]
    return [status_of(requirement) for requirement in VIRTUAL_BOARD_BUILD_TOOLS]


def _version(requirement: Requirement, path: Path) -> str:
    if requirement.version_key:
        lines = path.read_text(errors="replace").splitlines()
        return next((version_in(line) for line in lines if line.startswith(requirement.version_key)), "")
    if not requirement.version_arguments:
        return ""
    try:
        done = run([path, *requirement.version_arguments], timeout_s=10)
    except ToolError:
        return ""
    words = done.stdout + done.stderr
    named = "\n".join(line for line in words.splitlines() if "version" in line)
    return version_in(named) or version_in(words)
