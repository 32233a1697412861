"""The sketch compiled for Arm Cortex-M around a stand-in of a core, and a QEMU that runs it.

QEMU has no pipeline, caches or wait states: with ``-icount`` each instruction takes the same time, so that the clock
by which SysTick counts is, between two sleeps, QEMU's count of instructions. It shows whether a board counts right, not
how fast one is.
"""

import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from sinehil.arduino import stage_sketch

HERE = Path(__file__).parent
CPUS = {
    "cortex-m0": ("-mcpu=cortex-m0",),
    "cortex-m3": ("-mcpu=cortex-m3",),
    "cortex-m4f": ("-mcpu=cortex-m4", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"),
}
FLAGS = ("-mthumb", "-Os", "-Wall", "-Wextra", "-Werror", "-ffreestanding", "-DARDUINO=10819", f"-I{HERE}")
CXX_FLAGS = ("-std=gnu++11", "-fno-exceptions", "-fno-rtti")
CLOCK_HZ = 168_000_000  # of this machine, whose Cortex-M4 runs all of them
QEMU = (
    *("setpriv", "--pdeathsig", "KILL", "qemu-system-arm"),  # it would wait for bytes for ever
    *("-machine", "netduinoplus2", "-display", "none", "-nodefaults", "-icount", "shift=6"),
)
# 64 ns: 10.752, so that cycles tell instructions to the last one.
CYCLES_PER_INSTRUCTION = 2**6 * CLOCK_HZ / 1e9


def compile_for_cortex_m(cpu: str, sources: Mapping[str, str], folder: Path) -> Path:
    """Return the image of the sketch with these files of it replaced or added, the kernel among them."""
    sketch, flags = stage_sketch(sources, folder), (*CPUS[cpu], *FLAGS, f"-I{folder / 'arduino_sketch'}")
    objects = folder / "objects"
    objects.mkdir()
    cxx = ["arm-none-eabi-g++", *flags, *CXX_FLAGS]
    compilations = (
        ["arm-none-eabi-gcc", *flags, "-std=gnu11", "-c", *sketch.glob("*.c")],
        [*cxx, "-c", *sketch.glob("*.cpp"), HERE / "core.cpp"],
        [*cxx, "-include", "Arduino.h", "-c", "-x", "c++", sketch / "arduino_sketch.ino"],
    )
    for command in compilations:
        subprocess.run(command, cwd=objects, check=True)
    image = folder / "firmware.elf"
    linked = [*sorted(objects.glob("*.o")), "-lgcc", "-o", image]
    subprocess.run([*cxx, "-nostdlib", "-T", HERE / "stm32f405.ld", *linked], check=True)
    return image


@contextmanager
def boot(image: Path, *options: str) -> Iterator[str]:
    """Run an image from when its port is first opened until the block ends; yields the port's name."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        line = f"socket,id=line,fd={listener.fileno()},server=on,wait=on,nodelay=on"
        command = [*QEMU, "-kernel", image, "-chardev", line, "-serial", "chardev:line", *options]
        with subprocess.Popen(command, pass_fds=[listener.fileno()]) as qemu:
            try:
                yield f"socket://127.0.0.1:{listener.getsockname()[1]}"
            finally:
                qemu.terminate()  # rather than kill: it has a log to end
