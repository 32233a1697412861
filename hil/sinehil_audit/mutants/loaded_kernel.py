"""Load a kernel into this process so that its constants can be patched while it runs."""

import contextlib
import ctypes
import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from sinehil.model.arrays import Codes
from sinehil.native import NativeBoard, NativeFirmware
from sinehil_audit.mutants.mutant import CODE, Patch
from sinehil_kernels.avr.assembly import Program
from sinehil_kernels.avr.sources import host_code
from sinehil_kernels.c_parts import C_TYPES
from sinehil_kernels.generated import ASSEMBLY_FILE, C_FILE
from sinehil_kernels.native_kernel import LOOPS, HostFunctions

CONSTANT = re.compile(r"static const (\w+) (\w+)\[(\d+)\] PROGMEM")
BYTES = {c_type: np.dtype(name).itemsize for name, c_type in C_TYPES.items()}
# A kernel in assembly does not run here: its outputs are looked up.
LOOKED_UP = """
#include "sinehil_engine.h"

int8_t answers[256];

void sinehil_infer(const int8_t *x_q, int8_t *y_q) { y_q[0] = answers[(uint8_t)(x_q[0] + 128)]; }
"""


class PatchableKernel:
    """A kernel with one input and one output behind the firmware's command handler, compiled for this machine.

    ``answers``, int8 [256], is what a kernel in assembly gives for each code; None where the C computes it.
    """

    def __init__(self, sources: Mapping[str, str], program: Program | None, answers: Codes | None) -> None:
        """Compile and load; ToolError if that fails."""
        texts = {name: text for name, text in sources.items() if name != ASSEMBLY_FILE}
        texts[C_FILE] = CONSTANT.sub(
            r"\1 \2[\3]", texts[C_FILE]
        )  # in memory that can be written, under its name
        texts["loops.c"] = LOOPS
        if program is not None:
            texts["assembly.c"] = host_code(program).removeprefix("const ") + LOOKED_UP
        self._firmware = NativeFirmware.compile(texts)
        self._library = self._firmware.library
        self.functions = HostFunctions(self._library, outputs=1)
        self._set_answers(answers)

    def board(self) -> NativeBoard:
        """Return a board with this kernel, just reset; what is changed in it is changed on the board."""
        return self._firmware.board()

    def read(self, symbol: str, size_bytes: int) -> bytes:
        """Return the bytes of a constant."""
        return bytes(self._bytes(symbol, 0, size_bytes))

    @contextlib.contextmanager
    def changed(self, patches: Sequence[Patch], answers: Codes | None) -> Iterator[None]:
        """Have the constants patched, and ``answers`` for a kernel in assembly, within the block."""
        before = [(patch, self.read_at(patch)) for patch in patches]
        answered = None if answers is None else self.read("answers", 256)
        try:
            for patch in patches:
                self._write(patch, patch.new)
            self._set_answers(answers)
            yield
        finally:
            for patch, old in reversed(before):
                self._write(patch, old)
            if answered is not None:
                self._set_answers(np.frombuffer(answered, np.int8))

    def read_at(self, patch: Patch) -> bytes:
        """Return what lies where a patch goes."""
        return bytes(self._bytes(patch.symbol, patch.offset, len(patch.new)))

    def _write(self, patch: Patch, new: bytes) -> None:
        self._bytes(patch.symbol, patch.offset, len(new))[:] = list(new)

    def _set_answers(self, answers: Codes | None) -> None:
        if answers is not None:
            self._bytes("answers", 0, 256)[:] = list(answers.tobytes())

    def _bytes(self, symbol: str, offset: int, count: int) -> "ctypes.Array[ctypes.c_ubyte]":
        whole = (ctypes.c_ubyte * (offset + count)).in_dll(self._library, symbol)
        return (ctypes.c_ubyte * count).from_buffer(whole, offset)


def constants_of(c_text: str) -> dict[str, tuple[int, int]]:
    """Return the constant arrays of a kernel's C by name: bytes a value, and how many values."""
    return {name: (BYTES[c_type], int(count)) for c_type, name, count in CONSTANT.findall(c_text)}


def image_patches(sound: bytes, mutated: bytes) -> tuple[Patch, ...]:
    """Return what turns one image of a kernel in assembly into another of the same length."""
    return tuple(
        Patch(CODE, at, mutated[at : at + 1]) for at in range(len(sound)) if sound[at] != mutated[at]
    )
