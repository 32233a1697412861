"""The GNU tools for AVR, for tests."""

import subprocess
from pathlib import Path

CORE_FLAGS = (
    "-Os -std=gnu11 -ffunction-sections -fdata-sections -Wall -Wextra -mmcu=atmega328p -DF_CPU=16000000L"
)


def call(*command: object) -> None:
    subprocess.run([str(word) for word in command], check=True)


def assembled(text: str, folder: Path) -> bytes:
    """Return the bytes that the GNU assembler and linker make of a function, placed at address 0."""
    source, linked, image = folder / "f.S", folder / "f.elf", folder / "f.bin"
    source.write_text(text)
    call("avr-gcc", "-mmcu=atmega328p", "-Wall", "-Werror", "-c", source, "-o", folder / "f.o")
    call("avr-ld", "-m", "avr5", "-Ttext", "0", "-e", "0", folder / "f.o", "-o", linked)
    call("avr-objcopy", "-O", "binary", linked, image)
    return image.read_bytes()
