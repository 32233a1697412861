"""A private arduino-cli home in the cache: our core, our discoveries, no network, nothing of the user's touched."""

import hashlib
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sinehil.arduino.toolchain import find_or_build_arduino_cli
from sinehil.errors import ToolError
from sinehil.files import write_atomically
from sinehil.folders import cache_dir

CORE = Path("/usr/share/arduino/hardware/arduino/avr")
CTAGS = Path("/usr/bin/arduino-ctags")
DISCOVERY_VERSION = "1.0.0"
DEBIAN_PACKAGES = {
    "avr-gcc": "gcc-avr binutils-avr avr-libc",
    "avrdude": "avrdude",
    "arduino-ctags": "arduino-ctags",
}
# Debian's core with Debian's compiler: gcc 5.4 lacks DECIMAL_DIG in C++; upload must not look for a bundled avrdude.
PLATFORM = f"""\
tools.ctags.cmd.path={CTAGS}
tools.avrdude.path=/usr
compiler.cpp.extra_flags=-DDECIMAL_DIG=__DECIMAL_DIG__
"""


@dataclass(frozen=True)
class ArduinoEnvironment:
    """An arduino-cli that is ready to run: the program and the variables that make it private and offline."""

    program: Path
    variables: Mapping[str, str]

    def environ(self) -> dict[str, str]:
        """Return the whole environment for a child process."""
        return {**os.environ, **self.variables}


def prepare_environment(progress: Callable[[str], None]) -> ArduinoEnvironment:
    """Return the environment, made first if need be; raise ToolError naming what is missing."""
    _require_debian_tools()
    program = find_or_build_arduino_cli(progress)
    home = cache_dir() / f"arduino-{_fingerprint()}"
    if not (home / "ready").exists():
        _populate(home)
    variables = {
        "ARDUINO_DIRECTORIES_DATA": str(home / "data"),
        "ARDUINO_DIRECTORIES_DOWNLOADS": str(home / "downloads"),
        "ARDUINO_DIRECTORIES_USER": str(home / "user"),
        "ARDUINO_BUILD_CACHE_PATH": str(home / "build-cache"),
        "ARDUINO_UPDATER_ENABLE_NOTIFICATION": "false",
        "ARDUINO_NETWORK_CLOUD_API_SKIP_BOARD_DETECTION_CALLS": "true",
        "ARDUINO_OUTPUT_NO_COLOR": "true",
        "ARDUINO_CONFIG_FILE": str(home / "arduino-cli.yaml"),
    }
    return ArduinoEnvironment(program, variables)


def _require_debian_tools() -> None:
    missing = [package for tool, package in DEBIAN_PACKAGES.items() if shutil.which(tool) is None]
    if not CORE.exists():
        missing.append("arduino-core-avr")
    if missing:
        raise ToolError(
            f"tools to build and upload for AVR are missing: {' '.join(missing)}",
            f"install them: sudo apt-get install {' '.join(missing)}",
        )


def _populate(home: Path) -> None:
    hardware = home / "user" / "hardware"
    (hardware / "arduino").mkdir(parents=True, exist_ok=True)
    core = hardware / "arduino" / "avr"
    if not core.is_symlink():
        core.symlink_to(CORE)
    write_atomically(hardware / "platform.txt", PLATFORM.encode())
    write_atomically(home / "data" / "package_index.json", b'{"packages":[]}')
    write_atomically(home / "data" / "library_index.json", b'{"libraries":[]}')
    write_atomically(home / "arduino-cli.yaml", b"{}\n")
    for name in ("serial", "mdns"):
        tool = (
            home
            / "data/packages/builtin/tools"
            / f"{name}-discovery"
            / DISCOVERY_VERSION
            / f"{name}-discovery"
        )
        write_atomically(tool, _discovery_script(name).encode())
        tool.chmod(0o755)
    write_atomically(home / "ready", b"")


def _discovery_script(name: str) -> str:
    python = shlex.quote(sys.executable)
    return f"#!/bin/sh\nexec {python} -P -m sinehil.arduino.discovery {name}\n"


def _fingerprint() -> str:
    """Return a name that changes with everything ``_populate`` writes."""
    content = "\n".join([PLATFORM, str(CORE), DISCOVERY_VERSION, _discovery_script("serial"), "layout 1"])
    return hashlib.sha256(content.encode()).hexdigest()[:12]
