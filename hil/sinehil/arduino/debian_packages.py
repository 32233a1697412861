"""The Debian packages needed beside arduino-cli: one table for errors, `doctor` and tests."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

CORE = Path("/usr/share/arduino/hardware/arduino/avr")
CTAGS = Path("/usr/bin/arduino-ctags")
AVRDUDE_PREFIX = Path("/usr")


@dataclass(frozen=True)
class Requirement:
    """A program (a bare name is looked for on PATH) or a file, and the Debian package that has it.

    ``version_arguments`` make a program say its version; ``version_key`` is the line of a file that holds it.
    """

    name: str
    path: Path
    package: str
    version_arguments: tuple[str, ...] = ()
    version_key: str = ""

    def find(self) -> Path | None:
        """Return where it is, or None."""
        if self.path.is_absolute():
            return self.path if self.path.exists() else None
        found = shutil.which(self.path)
        return None if found is None else Path(found)


# The core's platform.txt as Debian ships it names the compiler by its full path, so PATH does not count here.
FIRMWARE_TOOLS = (
    Requirement("avr-gcc", Path("/usr/bin/avr-gcc"), "gcc-avr", ("--version",)),
    Requirement("avr-binutils", Path("/usr/bin/avr-objcopy"), "binutils-avr", ("--version",)),
    Requirement("avr-libc", Path("/usr/lib/avr/include/avr/io.h"), "avr-libc"),
    Requirement("avrdude", AVRDUDE_PREFIX / "bin" / "avrdude", "avrdude", ("-?",)),
    Requirement("arduino-ctags", CTAGS, "arduino-ctags", ("--version",)),
    Requirement("arduino core", CORE / "platform.txt", "arduino-core-avr", version_key="version="),
)
KERNEL_CHECK_TOOLS = (
    Requirement("cc", Path("cc"), "gcc", ("--version",)),
    Requirement("C headers", Path("/usr/include/stdio.h"), "libc6-dev"),
)
VIRTUAL_BOARD_BUILD_TOOLS = (
    Requirement("libsimavr", Path("/usr/include/simavr/sim_avr.h"), "libsimavr-dev"),
    Requirement("libelf", Path("/usr/include/libelf.h"), "libelf-dev"),
)
EXPORT_TOOLS = (Requirement("xxd", Path("xxd"), "xxd", ("--version",)),)


def missing_packages(requirements: Sequence[Requirement]) -> list[str]:
    """Return the Debian packages of what is not there, in order."""
    return [requirement.package for requirement in requirements if requirement.find() is None]


def how_to_install(packages: Sequence[str]) -> str:
    """Return the command that installs ``packages``."""
    return f"sudo apt-get install --no-install-recommends {' '.join(packages)}"
