"""A kernel compiled for the Uno, as the whole flash that avrdude would leave behind, without its three seconds."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sinehil.arduino import Firmware, compile_sketch, prepare_environment, stage_sketch


@dataclass(frozen=True)
class UnoImage:
    firmware: Firmware
    flash: Path


def compile_for(fqbn: str, kernel: Mapping[str, str], folder: Path) -> Firmware:
    """Compile the sketch with these kernel files in ``folder``."""
    return compile_sketch(
        prepare_environment(lambda _: None), stage_sketch(kernel, folder), fqbn, folder / "build"
    )


def compile_for_uno(kernel: Mapping[str, str], folder: Path) -> UnoImage:
    """Return the same for the Uno with its whole flash."""
    firmware = compile_for("arduino:avr:uno", kernel, folder)
    flash = firmware.hex.with_suffix(".bin")
    whole = ["--gap-fill", "0xff", "--pad-to", "0x8000"]
    subprocess.run(["avr-objcopy", "-I", "ihex", "-O", "binary", *whole, firmware.hex, flash], check=True)
    return UnoImage(firmware, flash)
