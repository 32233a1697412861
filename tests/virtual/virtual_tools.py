"""Compiling probe.c, waiting for conditions, and talking to it."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import serial

from sinehil.virtual import VirtualUno

HERE = Path(__file__).parent
StartBoard = Callable[..., VirtualUno]
FLASH_BYTES = 32768
DEADLINE_S = 15.0
HELLO = 0x01
TAG = 7


def until(condition: Callable[[], bool], what: str, deadline_s: float = DEADLINE_S) -> None:
    """Return once ``condition`` holds; AssertionError naming ``what`` if it does not in time."""
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, f"waited in vain: {what}"
        time.sleep(0.005)


def compile_probe(folder: Path, tag: int) -> Path:
    """Compile probe.c, answering hello with ``tag``, and return the ELF."""
    elf = folder / f"probe{tag}.elf"
    flags = ["-Os", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-mmcu=atmega328p", "-DF_CPU=16000000L"]
    subprocess.run(["avr-gcc", *flags, f"-DTAG={tag}", str(HERE / "probe.c"), "-o", str(elf)], check=True)
    return elf


def convert(elf: Path, form: str) -> Path:
    """Return ``elf`` as ``ihex`` or ``binary``."""
    out = elf.with_suffix({"ihex": ".hex", "binary": ".bin"}[form])
    subprocess.run(["avr-objcopy", "-O", form, str(elf), str(out)], check=True)
    return out


def whole_flash(program: bytes) -> bytes:
    """Return the contents of a flash that holds ``program`` and is blank behind it."""
    return program.ljust(FLASH_BYTES, b"\xff")


def open_port(port: str, baud: int = 115200) -> serial.Serial:
    return serial.Serial(port, baud, timeout=0.05, write_timeout=5)


def says_hello(link: serial.Serial) -> int | None:
    """Ask once who is there: the tag, or None. The 0x00 before makes a listening Optiboot leave."""
    link.write(bytes([0x00, HELLO]))
    answer = link.read(2)
    if len(answer) == 2 and answer[0] == 0x10:
        return answer[1]
    link.reset_input_buffer()
    return None


def greet(link: serial.Serial, tag: int) -> None:
    """Return once the probe named ``tag`` answers and nothing it said earlier is under way."""
    until(lambda: says_hello(link) == tag, f"hello of probe {tag} on {link.port}")
    link.write(b"\xf7")
    until(lambda: link.read(1) == b"\xf7", "the echo behind late hellos")


def ask(link: serial.Serial, request: bytes, length: int) -> bytes:
    """Send ``request`` and return exactly ``length`` bytes of answer."""
    link.write(request)
    answer = bytearray()

    def complete() -> bool:
        answer.extend(link.read(length - len(answer)))
        return len(answer) == length

    until(complete, f"{length} bytes in answer to {request[:8].hex()}")
    return bytes(answer)


def ask_u16(link: serial.Serial, request: bytes) -> int:
    return int.from_bytes(ask(link, request, 2), "little")


def upload_command(port: str, program: Path, speed: int = 115200) -> list[str]:
    """Return what arduino-cli runs to write and verify ``program``."""
    options = ["-c", "arduino", "-p", "m328p", "-P", port, "-b", str(speed), "-D"]
    return ["avrdude", *options, "-U", f"flash:w:{program}:i"]


def upload(port: str, program: Path) -> subprocess.CompletedProcess[str]:
    command = upload_command(port, program)
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
