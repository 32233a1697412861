"""Which tools are here and how to get the missing ones."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from sinehil.arduino.environment import CORE
from sinehil.arduino.process import run
from sinehil.arduino.toolchain import cli_version, find_arduino_cli
from sinehil.errors import ToolError

PROGRAMS = {  # program: (arguments that make it say its version, Debian package)
    "avr-gcc": (["--version"], "gcc-avr"),
    "avrdude": (["-?"], "avrdude"),
    "arduino-ctags": (["--version"], "arduino-ctags"),
    "cc": (["--version"], "gcc"),
    "xxd": (["--version"], "xxd"),
}
FILES = {
    "arduino core (AVR)": (CORE / "platform.txt", "arduino-core-avr"),
    "avr-libc": (Path("/usr/lib/avr/include/avr/io.h"), "avr-libc"),
    "libsimavr": (Path("/usr/include/simavr/sim_avr.h"), "libsimavr-dev"),
    "libelf": (Path("/usr/include/libelf.h"), "libelf-dev"),
}


@dataclass(frozen=True)
class ToolStatus:
    """One tool: whether it is here, and how to get it if not."""

    name: str
    found: bool
    version: str
    path: Path | None
    hint: str


def check_tools() -> list[ToolStatus]:
    """Look for every tool; builds and installs nothing."""
    programs = [_program(name, arguments, package) for name, (arguments, package) in PROGRAMS.items()]
    files = [
        ToolStatus(name, path.exists(), "", path if path.exists() else None, _apt(package))
        for name, (path, package) in FILES.items()
    ]
    return [_arduino_cli(), *programs, *files]


def _arduino_cli() -> ToolStatus:
    hint = "`sinehil compile` builds it on first use (network needed once), or put arduino-cli 1.5 on PATH"
    path = find_arduino_cli()
    version = "" if path is None else ".".join(str(number) for number in cli_version(path))
    return ToolStatus("arduino-cli", path is not None, version, path, hint)


def _program(name: str, arguments: list[str], package: str) -> ToolStatus:
    found = shutil.which(name)
    return ToolStatus(
        name,
        found is not None,
        _version(found, arguments),
        None if found is None else Path(found),
        _apt(package),
    )


def _version(program: str | None, arguments: list[str]) -> str:
    if program is None:
        return ""
    try:
        done = run([program, *arguments], timeout_s=10)
    except ToolError:
        return ""
    lines = [
        line for line in (done.stdout + done.stderr).splitlines() if any(char.isdigit() for char in line)
    ]
    return lines[-1 if program.endswith("avrdude") else 0][:60] if lines else ""


def _apt(package: str) -> str:
    return f"sudo apt-get install {package}"
