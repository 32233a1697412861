"""A private arduino-cli home in the cache: our core and discoveries, no network, nothing of the user's changed."""

import hashlib
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sinehil.arduino.debian_packages import (
    AVRDUDE_PREFIX,
    CORE,
    CTAGS,
    FIRMWARE_TOOLS,
    Requirement,
    how_to_install,
    missing_packages,
)
from sinehil.arduino.toolchain import find_or_build_arduino_cli
from sinehil.base.folders import built, cache_dir
from sinehil.base.tools import run
from sinehil.errors import ToolError

__all__ = ["CORE", "RETRIES", "ArduinoEnvironment", "prepare_environment", "require"]

TOOL_VERSION = "1.0.0"
RETRIES = "upload.retries"
# Debian's core with Debian's compiler: gcc 5.4 lacks DECIMAL_DIG in C++; upload must not look for a bundled avrdude,
# and it takes avrdude's -xattempts=N through a property of ours, since not every protocol knows that option.
PLATFORM = f"""\
tools.ctags.cmd.path={CTAGS}
tools.avrdude.path={AVRDUDE_PREFIX}
compiler.cpp.extra_flags=-DDECIMAL_DIG=__DECIMAL_DIG__
{RETRIES}=
tools.avrdude.upload.params.quiet=-q -q {{{RETRIES}}}
"""


@dataclass(frozen=True)
class ArduinoEnvironment:
    """An arduino-cli that is ready to run: the program and the variables that make it private and offline."""

    program: Path
    variables: Mapping[str, str]

    def environ(self) -> dict[str, str]:
        """Return the whole environment for a child process; the user's own ARDUINO_* have no say in it."""
        others = {key: value for key, value in os.environ.items() if not key.startswith("ARDUINO_")}
        return {**others, **self.variables}


def prepare_environment(progress: Callable[[str], None]) -> ArduinoEnvironment:
    """Return the environment, made first if need be; raise ToolError naming what is missing."""
    require(FIRMWARE_TOOLS)
    program = find_or_build_arduino_cli(progress)
    files = _files()
    home = built(f"arduino-{_fingerprint(files)}")
    if not home.exists():
        _make_home(home, files)
    return ArduinoEnvironment(program, _variables(home))


def require(requirements: Sequence[Requirement]) -> None:
    """Raise ToolError with the Debian packages to install if something is missing."""
    packages = missing_packages(requirements)
    if packages:
        raise ToolError(
            f"tools that build and upload AVR firmware are missing: {' '.join(packages)}",
            f"install them: {how_to_install(packages)}",
        )


def _variables(home: Path) -> dict[str, str]:
    return {
        "ARDUINO_DIRECTORIES_DATA": str(home / "data"),
        "ARDUINO_DIRECTORIES_USER": str(home / "user"),
        # What it writes to; home itself may be read-only.
        "ARDUINO_DIRECTORIES_DOWNLOADS": str(cache_dir() / "arduino-downloads"),
        "ARDUINO_BUILD_CACHE_PATH": str(cache_dir() / "arduino-build-cache"),
        "ARDUINO_UPDATER_ENABLE_NOTIFICATION": "false",
        "ARDUINO_NETWORK_CLOUD_API_SKIP_BOARD_DETECTION_CALLS": "true",
        "ARDUINO_OUTPUT_NO_COLOR": "true",
        "ARDUINO_CONFIG_FILE": str(home / "arduino-cli.yaml"),
        "LC_ALL": "C.UTF-8",  # compilers and avrdude speak the language in which we read them
    }


def _files() -> dict[str, str]:
    """Return the text of every file of a home, by relative name."""
    tools = {
        f"data/packages/builtin/tools/{kind}-discovery/{TOOL_VERSION}/{kind}-discovery": _discovery(kind)
        for kind in ("serial", "mdns")
    }
    return {
        "user/hardware/platform.txt": PLATFORM,
        "data/package_index.json": '{"packages":[]}',
        "data/library_index.json": '{"libraries":[]}',
        "data/inventory.yaml": "installation: {}\n",  # else it invents ids, in a home that may be read-only
        "arduino-cli.yaml": "{}\n",
        **tools,
    }


def _discovery(kind: str) -> str:
    # -P: what lies in the folder that arduino-cli was started in must not be imported.
    return f"#!/bin/sh\nexec {shlex.quote(sys.executable)} -P -m sinehil.arduino.discovery {kind}\n"


def _make_home(home: Path, files: Mapping[str, str]) -> None:
    """Build a home beside its place and rename it there; a process that was faster is as good."""
    beside = Path(tempfile.mkdtemp(prefix=".home-", dir=home.parent))
    try:
        for name, text in files.items():
            path = beside / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            path.chmod(0o755 if text.startswith("#!") else 0o644)
        core = beside / "user" / "hardware" / "arduino" / "avr"
        core.parent.mkdir()
        core.symlink_to(CORE)
        beside.rename(home)
    except OSError:
        if not home.exists():
            raise
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _fingerprint(files: Mapping[str, str]) -> str:
    """Return a name that changes with every file of the home, with the core and with the compiler.

    A new core or compiler brings old time stamps along, so arduino-cli would take its old objects for fresh.
    """
    core = [path.stat() for path in sorted(CORE.rglob("*")) if path.is_file()]
    stamps = [(status.st_size, status.st_mtime_ns) for status in core]
    compiler = run(["/usr/bin/avr-gcc", "--version"], timeout_s=10).stdout
    content = repr((sorted(files.items()), str(CORE), stamps, compiler))
    return hashlib.sha256(content.encode()).hexdigest()[:12]
