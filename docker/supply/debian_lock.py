"""The lock of Debian packages, docker/debian-packages.lock: one name=version a line.

Debian's archive serves only the newest version of a suite, so this lock does not decide what is installed: it records
what a release was made with. Packages that decide about the firmware's bytes must still have just that version.

``python3 -m supply.debian_lock LIST...``: exit code 1 if the lists name a package that the lock does not have.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from supply.sbom import Component

LOCK = Path(__file__).resolve().parent.parent / "debian-packages.lock"
# What is between the sources and the bytes on the board: compiler, core, sketch preprocessor, uploader, simulator.
FIRMWARE_PACKAGES = (
    "arduino-core-avr",
    "arduino-ctags",
    "avr-libc",
    "avrdude",
    "binutils-avr",
    "gcc-avr",
    "libsimavr2",
)
Versions = Mapping[str, str]


def parse_lock(text: str) -> dict[str, str]:
    """Return the versions by package name."""
    pairs = [line.strip().partition("=")[::2] for line in text.splitlines() if line.strip()]
    return dict(pairs)


def listed_packages(text: str) -> list[str]:
    """Return the names in a hand-kept list; ``#`` begins a comment."""
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return [line for line in lines if line]


def installed_versions(found: Iterable[Component]) -> dict[str, str]:
    """Return the versions of the Debian packages in a bill of materials."""
    return {component.name: component.version for component in found if component.kind == "deb"}


def firmware_differences(lock: Versions, installed: Versions) -> list[str]:
    """Return a sentence for each firmware-deciding package that is not there just as locked."""
    return [
        f"{name} is {installed.get(name, 'missing')}, the lock says {lock.get(name, 'nothing')}"
        for name in FIRMWARE_PACKAGES
        if name not in lock or installed.get(name) != lock[name]
    ]


def unlocked(lock: Versions, wanted: Iterable[str]) -> list[str]:
    """Return the names that a list wants and the lock does not have."""
    return [name for name in wanted if name not in lock]


def main(arguments: Sequence[str]) -> int:
    """Tell by the exit code whether the lock covers the lists."""
    wanted = [name for word in arguments for name in listed_packages(Path(word).read_text())]
    lock = parse_lock(LOCK.read_text()) if LOCK.exists() else {}
    return 1 if unlocked(lock, wanted) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
