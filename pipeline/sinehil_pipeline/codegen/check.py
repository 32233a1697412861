"""The generator's own check: its output, compiled on this machine, against the real interpreter."""

import ctypes
import os
import tempfile
from pathlib import Path

import numpy as np

from sinehil.arduino.process import run, tail
from sinehil.errors import ToolError
from sinehil.oracle import LitertOracle
from sinehil.resources import resource
from sinehil.tflite_model import QuantizedModel
from sinehil.verify.probes import all_codes, exhaustive_floats
from sinehil_pipeline.codegen.kernel import GeneratedKernel

FLAGS = ("-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-ffp-contract=off")


def check_kernel_on_host(kernel: GeneratedKernel, model: QuantizedModel) -> None:
    """Compile the kernel and compare it on every code and every quantiser step; ToolError if anything differs."""
    oracle = LitertOracle(model)
    with tempfile.TemporaryDirectory(prefix="sinehil-") as folder:
        library = _load(kernel.source, Path(folder))
        _compare_codes(library, oracle)
        _compare_floats(library, oracle, model)
        library.sinehil_weights_crc32.restype = ctypes.c_uint32
        _require(library.sinehil_weights_crc32() == kernel.weights_crc32, "its checksum")


def _load(source: str, folder: Path) -> ctypes.CDLL:
    sketch = resource("arduino_sketch")
    kernel, library = folder / "sinehil_kernel.c", folder / "kernel.so"
    kernel.write_text(source)
    done = run(["cc", *FLAGS, "-I", sketch, kernel, sketch / "crc32.c", "-o", library, "-lm"])
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
    thus their names, are used again. Raises ToolError if it cannot be loaded.
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


def _compare_codes(library: ctypes.CDLL, oracle: LitertOracle) -> None:
    x_q = all_codes()
    y_q = np.empty_like(x_q)
    pointer = ctypes.POINTER(ctypes.c_int8)
    for index in range(len(x_q)):
        source, target = x_q[index:], y_q[index:]
        library.sinehil_infer(source.ctypes.data_as(pointer), target.ctypes.data_as(pointer))
    wrong = np.flatnonzero(y_q != oracle.predict_codes(x_q))
    _require(wrong.size == 0, f"{wrong.size} of {x_q.size} codes")


def _compare_floats(library: ctypes.CDLL, oracle: LitertOracle, model: QuantizedModel) -> None:
    library.sinehil_quantize_input.argtypes = [ctypes.c_float]
    library.sinehil_quantize_input.restype = ctypes.c_int8
    library.sinehil_dequantize_output.argtypes = [ctypes.c_int8]
    library.sinehil_dequantize_output.restype = ctypes.c_float
    x = exhaustive_floats(model.input)
    y = np.array([_infer_float(library, float(value)) for value in x], np.float32)
    wrong = np.flatnonzero(y.view(np.uint32) != oracle.predict(x).view(np.uint32))
    _require(wrong.size == 0, f"{wrong.size} of {x.size} float inputs")


def _infer_float(library: ctypes.CDLL, x: float) -> float:
    x_q, y_q = ctypes.c_int8(library.sinehil_quantize_input(x)), ctypes.c_int8()
    library.sinehil_infer(ctypes.byref(x_q), ctypes.byref(y_q))
    return float(library.sinehil_dequantize_output(y_q.value))


def _require(equal: bool, what: str) -> None:
    if not equal:
        raise ToolError(
            f"the generated kernel differs from the interpreter in {what}",
            "this is a bug of sinehil: please report it",
        )
