"""The firmware as libFuzzer's target: one input with a real generated kernel, and the widest shapes."""

import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from nets import random_net

from sinehil_kernels import generate_kernel

HERE = Path(__file__).parent
FIRMWARE_TESTS = HERE.parent / "firmware"
SKETCH = HERE.parents[1] / "arduino_sketch"
SHAPES = {"firmware_one": (1, 1), "firmware_wide": (64, 61), "firmware_odd": (13, 29)}
SANITIZERS = "address,undefined"
FLAGS = ["-O1", "-g", "-Wall", "-Wextra", "-Werror", "-fno-sanitize-recover=all"]
COVERAGE = ["-fprofile-instr-generate", "-fcoverage-mapping"]
CLANG = next((name for name in ("clang-14", "clang") if shutil.which(name)), "clang")


def build(out: Path, target: str, sketch: Path = SKETCH, coverage: bool = False) -> Path:
    """Return the target, compiled from ``sketch`` into ``out``."""
    out.mkdir(parents=True, exist_ok=True)
    inputs, outputs = SHAPES[target]
    flags = [*FLAGS, *(COVERAGE if coverage else []), f"-I{sketch}", f"-I{HERE}", "-DSINEHIL_COUNTER=228"]
    flags += [f"-DSINEHIL_INPUTS={inputs}", f"-DSINEHIL_OUTPUTS={outputs}"]
    sources = [sketch / name for name in ("protocol.cpp", "commands.cpp", "crc32.c", "float_io.c")]
    sources += [HERE / "firmware_target.cpp", FIRMWARE_TESTS / "native_device.cpp", _engine(out, target)]

    def compile_one(source: Path) -> Path:
        tool, standard = (
            (CLANG, "gnu11") if source.suffix == ".c" else (CLANG.replace("clang", "clang++"), "gnu++11")
        )
        # The board comes from the other native tests; libFuzzer has a main of its own.
        renamed = ["-Dmain=device_main"] if source.stem == "native_device" else []
        object_ = out / f"{source.stem}.o"
        words = [tool, f"-std={standard}", *flags, *renamed, f"-fsanitize=fuzzer-no-link,{SANITIZERS}"]
        subprocess.run([*words, "-c", source, "-o", object_], check=True)
        return object_

    with ThreadPoolExecutor(2) as pool:
        objects = list(pool.map(compile_one, sources))
    link = [
        CLANG.replace("clang", "clang++"),
        f"-fsanitize=fuzzer,{SANITIZERS}",
        *(COVERAGE if coverage else []),
    ]
    subprocess.run([*link, *objects, "-lz", "-o", out / target], check=True)
    return out / target


def _engine(out: Path, target: str) -> Path:
    if SHAPES[target] != (1, 1):
        return FIRMWARE_TESTS / "known_engine.c"
    kernel = out / "sinehil_kernel.c"
    kernel.write_text(generate_kernel(random_net(1, width=4).model()).source)
    return kernel


def _frame(kind: int, payload: bytes = b"", session: int = 0, how: int = 64, damage: bytes = b"") -> bytes:
    """Return a step of firmware_target.cpp's scripts."""
    return bytes([how, kind, 7, session, len(payload)]) + payload + damage


IDENTIFY = _frame(1, session=9)
SEEDS = [
    IDENTIFY + _frame(2, b"\0echo\0") + _frame(6),
    IDENTIFY + _frame(3, bytes(range(52))) + _frame(4, bytes(range(13))) + _frame(5, b"\x80\3"),
    IDENTIFY + _frame(7, bytes(64)) + _frame(7, bytes(26)),
    IDENTIFY + _frame(6, session=1) + _frame(0x1F) + _frame(5, b"\0\0") + _frame(3, b"123"),
    IDENTIFY + _frame(4, bytes(64), how=200, damage=b"\3") + _frame(2, b"x" * 249, how=170, damage=b"\x09\0\1"),
    IDENTIFY + _frame(3, bytes(249)) + _frame(2, b"\1" * 253) + _frame(2, b"\1" * 251) + b"\5\0\1\0\xff\1",
    IDENTIFY + _frame(6, how=230) + _frame(1, session=1),
]  # fmt: skip
