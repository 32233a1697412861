"""Compile C and C++ of the sketch for this machine, and load them."""

import ctypes
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from sinehil.base.folders import resource
from sinehil.base.tools import run, tail
from sinehil.errors import ToolError

# Contraction would change how floats round.
FLAGS = ("-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-ffp-contract=off", "-fno-exceptions")


def compile_library(texts: Mapping[str, str], sketch_files: Iterable[str], *more: Path) -> ctypes.CDLL:
    """Return the library of the C among ``texts`` (by file name), of files of the sketch and of further sources.

    A header among ``texts`` takes the place of the sketch's. Raises ToolError if it does not compile or this machine
    does not load it.
    """
    with tempfile.TemporaryDirectory(prefix="sinehil-") as name:
        folder = Path(name)
        for file in resource(
            "arduino_sketch"
        ).iterdir():  # beside the texts: a quoted header is looked for there first
            shutil.copyfile(file, folder / file.name)
        for file_name, text in texts.items():
            (folder / file_name).write_text(text)
        ours = [*sketch_files, *(file for file in texts if file.endswith(".c"))]
        library = folder / "library.so"
        done = run(
            ["cc", *FLAGS, "-I", folder, *(folder / file for file in ours), *more, "-o", library, "-lm"]
        )
        if done.code != 0:
            raise ToolError(
                "the generated kernel does not compile on this machine",
                "if cc works otherwise, this is a bug of sinehil: please report it",
                output=tail(done.stderr, 10),
            )
        return load_library(library.read_bytes(), folder / "loaded.so")


def load_library(image: bytes, name: Path) -> ctypes.CDLL:
    """Load a shared library from memory, since the temp folder may be mounted noexec.

    ``name`` becomes a link to it: the loader takes equal names for the library that it has, and descriptors,
    thus their names, are used again.
    """
    try:
        with open(os.memfd_create(name.name), "wb") as memory:  # noqa: PTH123 - a descriptor
            memory.write(image)
            memory.flush()
            name.symlink_to(f"/proc/self/fd/{memory.fileno()}")
            return ctypes.CDLL(str(name))
    except OSError as error:
        raise ToolError(
            f"the generated kernel cannot be loaded on this machine: {error}",
            "allow programs to be run from memory (memfd_create), or choose another machine to compile on",
        ) from error
