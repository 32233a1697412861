"""The GNU tools for AVR, and a simulated ATmega328P, for tests."""

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sinehil.model.arrays import Codes, Float32s, Int64s

HERE = Path(__file__).parent
SKETCH = HERE.parents[1] / "arduino_sketch"
CORE_FLAGS = (
    "-Os -std=gnu11 -ffunction-sections -fdata-sections -Wall -Wextra -mmcu=atmega328p -DF_CPU=16000000L"
)
LTO = "-flto -fno-fat-lto-objects"  # the measuring main is compiled without, so that nothing moves past its marks
CYCLE_LIMIT = 500_000_000


@dataclass(frozen=True)
class AvrRun:
    codes: Codes  # [n, outputs]
    y: Float32s  # [n, outputs]
    weights_crc32: int
    cycles: Int64s  # per inference of a code, net of what counting costs


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


def build_simulator(folder: Path) -> Path:
    """Return the program that runs a flash image on a simulated ATmega328P."""
    program = folder / "avr_runner"
    call("cc", "-O2", "-Wall", "-Wextra", HERE / "avr_runner.c", "-o", program, "-lsimavr", "-lelf")
    return program


def compile_avr(file: Path, folder: Path, *flags: str) -> Path:
    """Return the object of one C or assembly file; ``folder`` has the headers beside the sketch's."""
    made = folder / f"{file.stem}.o"
    call("avr-gcc", *CORE_FLAGS.split(), "-I", SKETCH, "-I", folder, *flags, "-c", file, "-o", made)
    return made


def compile_shared(folder: Path) -> list[Path]:
    """Return the objects that every kernel is linked with."""
    return [compile_avr(SKETCH / name, folder, *LTO.split()) for name in ("crc32.c", "float_io.c")]


def flash_image(
    sources: Mapping[str, str],
    outputs: int,
    x_q: Codes,
    x: Float32s,
    folder: Path,
    shared: list[Path],
) -> Path:
    """Return a flash image that runs a kernel on codes and floats, both [n, inputs]."""
    defines = {
        "INPUTS": x_q.shape[1],
        "OUTPUTS": outputs,
        "SAMPLE_COUNT": len(x_q),
        "SAMPLES": ", ".join(map(str, x_q.ravel().tolist())),
        "PROBE_COUNT": len(x),
        "PROBES": ", ".join(f"0x{word:08x}UL" for word in x.ravel().view(np.uint32).tolist()),
    }
    (folder / "probes.h").write_text("".join(f"#define {name} {value}\n" for name, value in defines.items()))
    for name, text in sources.items():
        (folder / name).write_text(text)
    kernels = [
        compile_avr(folder / name, folder, *(LTO.split() if name.endswith(".c") else ()))
        for name in sources
        if not name.endswith(".h")
    ]
    main = compile_avr(HERE / "avr_main.c", folder, "-Wno-missing-braces")
    elf, image = folder / "program.elf", folder / "program.bin"
    link = ("-flto", "-fuse-linker-plugin", "-Wl,--gc-sections", *kernels, *shared, main, "-o", elf, "-lm")
    call("avr-gcc", *CORE_FLAGS.split(), *link)
    call("avr-objcopy", "-O", "binary", "-R", ".eeprom", elf, image)
    return image


def run_image(simulator: Path, image: Path, samples: int, outputs: int) -> AvrRun:
    """Run what ``flash_image`` made of ``samples`` codes; CalledProcessError if it does not end."""
    done = subprocess.run([simulator, image, str(CYCLE_LIMIT)], capture_output=True, check=True)
    counts = np.array(re.findall(rb"^(\d+)$", done.stderr, re.MULTILINE), dtype=np.int64)
    assert len(counts) == samples + 1
    end = samples * outputs
    return AvrRun(
        codes=np.frombuffer(done.stdout[:end], np.int8).reshape(-1, outputs),
        y=np.frombuffer(done.stdout[end:-4], "<f4").reshape(-1, outputs),
        weights_crc32=int.from_bytes(done.stdout[-4:], "little"),
        cycles=counts[1:] - counts[0],
    )
