"""Compile the firmware's sources for this machine, strictly and with both sanitizers."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from native_link import Build, NativeLink

HERE = Path(__file__).parent
SKETCH = HERE.parents[1] / "arduino_sketch"
FLAGS = [
    "-O1",
    "-g",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
]
COMPILERS = [
    pair
    for pair in (("gcc", "g++"), ("clang", "clang++"), ("clang-14", "clang++-14"))
    if shutil.which(pair[1])
]


def compile_object(out: Path, compiler: tuple[str, str], source: Path, defines: tuple[str, ...] = ()) -> Path:
    language = [compiler[0], "-std=gnu11"] if source.suffix == ".c" else [compiler[1], "-std=gnu++11"]
    flags = [*FLAGS, *(f"-D{define}" for define in defines), f"-I{SKETCH}"]
    target = out / f"{source.stem}.o"
    subprocess.run([*language, *flags, "-c", source, "-o", target], check=True)
    return target


@pytest.fixture(scope="session", params=COMPILERS, ids=[pair[1] for pair in COMPILERS])
def build(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Return a function that compiles sketch sources and test sources, both with ``defines``, into one program."""
    sketch_objects: dict[tuple[str, ...], Path] = {}

    def compile_sources(sketch: list[str], tests: list[str], defines: tuple[str, ...] = ()) -> Path:
        out = tmp_path_factory.mktemp("native")
        for name in sketch:
            if (name, *defines) not in sketch_objects:
                sketch_objects[name, *defines] = compile_object(out, request.param, SKETCH / name, defines)
        objects = [sketch_objects[name, *defines] for name in sketch]
        objects += [compile_object(out, request.param, HERE / name, defines) for name in tests]
        program = out / "program"
        subprocess.run([request.param[1], *FLAGS, *objects, "-o", program], check=True)
        return program

    return compile_sources


@pytest.fixture(scope="session")
def start_native(build: Build) -> Iterator[Callable[..., NativeLink]]:
    """Return a function that starts the firmware as a program of this machine, compiled with ``defines``."""
    links: list[NativeLink] = []
    programs: dict[tuple[str, ...], Path] = {}

    def start(*defines: str) -> NativeLink:
        if defines not in programs:
            sources = ["protocol.cpp", "commands.cpp", "crc32.c"]
            programs[defines] = build(sources, ["native_device.cpp", "known_engine.c"], defines)
        links.append(NativeLink(programs[defines]))
        return links[-1]

    yield start
    assert [link.end() for link in links] == [0] * len(links), "a sanitizer stopped the firmware"
