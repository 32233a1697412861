"""Compile the simulator and the bootloader of a virtual Uno into the cache."""

import hashlib
import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path

from sinehil.arduino.environment import CORE
from sinehil.base.folders import built, resource
from sinehil.base.tools import run, tail
from sinehil.errors import ToolError

Command = list[str | Path]
log = logging.getLogger(__name__)
_BOARD = resource("hil/virtual_board")
TARGET = "TARGET"  # stands for the file to be made
BOARD_FLAGS = ("-std=gnu11", "-O2", "-Wall", "-Wextra")
BOARD_LIBRARIES = ("-lsimavr", "-lelf", "-lutil", "-lpthread")
# Debian's ready-made optiboot_atmega328.hex overflows its section and never starts; these are the Makefile's flags.
OPTIBOOT_FLAGS = (
    *("-Os", "-fno-inline-small-functions", "-fno-split-wide-types", "-mrelax", "-fno-tree-scev-cprop"),
    *("-fno-move-loop-invariants", "-mmcu=atmega328p", "-DF_CPU=16000000L", "-DLED_START_FLASHES=3"),
    *("-DBAUD_RATE=115200", "-Wl,--section-start=.text=0x7e00", "-Wl,--section-start=.version=0x7ffe"),
    *("-Wl,--relax", "-nostartfiles", "-nostdlib", "-w"),
)


def build_virtual_board() -> Path:
    """Return the simulator program, compiled first if its sources changed."""
    command: Command = ["cc", *BOARD_FLAGS, *_board_sources(), "-o", TARGET, *BOARD_LIBRARIES]
    return _built(virtual_board_program(), command, "gcc libsimavr-dev libelf-dev")


def virtual_board_program() -> Path:
    """Return where the simulator program is, or will be when it is built."""
    headers = sorted(_BOARD.glob("*.h"))
    return built(f"bin/vboard-{_fingerprint([*_board_sources(), *headers], BOARD_FLAGS)}")


def _board_sources() -> list[Path]:
    return sorted(_BOARD.glob("*.c"))


def build_optiboot() -> Path:
    """Return the Uno's bootloader as Intel HEX, compiled from the core's source."""
    source = CORE / "bootloaders" / "optiboot" / "optiboot.c"
    if not source.exists():
        raise ToolError(f"there is no {source}", "sudo apt-get install arduino-core-avr")
    key = _fingerprint([source], OPTIBOOT_FLAGS)
    compile_: Command = ["avr-gcc", *OPTIBOOT_FLAGS, source, "-o", TARGET]
    elf = _built(built(f"bin/optiboot-{key}.elf"), compile_, "gcc-avr avr-libc")
    sections = ["-j", ".text", "-j", ".data", "-j", ".version", "--set-section-flags", ".version=alloc,load"]
    to_hex: Command = ["avr-objcopy", *sections, "-O", "ihex", elf, TARGET]
    return _built(built(f"bin/optiboot-{key}.hex"), to_hex, "binutils-avr")


def _built(target: Path, command: Command, packages: str) -> Path:
    if target.exists():
        log.info("%s: built before", target)
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        beside = Path(folder) / target.name
        done = run([beside if word is TARGET else word for word in command])
        if done.code != 0:
            raise ToolError(
                f"{target.name} does not compile",
                f"sudo apt-get install {packages}",
                output=tail(done.stderr, 10),
            )
        beside.replace(target)
    return target


def _fingerprint(sources: Sequence[Path], flags: Sequence[str]) -> str:
    digest = hashlib.sha256("\0".join(flags).encode())
    for source in sources:
        digest.update(source.name.encode() + source.read_bytes())
    return digest.hexdigest()[:12]
