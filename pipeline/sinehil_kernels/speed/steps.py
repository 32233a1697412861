"""Requantisation by comparison: the step function itself, searched by halving. Exact for anything; the last resort."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sinehil.model.arrays import Int64s
from sinehil_kernels.avr.assembly import Assembly
from sinehil_kernels.speed.registers import BYTE, FACTOR, is_upper

FAR = 128  # with more steps, jumps to the end do not reach from everywhere


@dataclass(frozen=True)
class Steps:
    """``bytes_[i]`` from u = ``starts[i]`` on (the first from anywhere); u is signed unless it is a single byte."""

    starts: tuple[int, ...]
    bytes_: tuple[int, ...]

    @classmethod
    def through(cls, u: Int64s, wanted: Int64s) -> "Steps":
        """Return the steps through points in ascending order of u."""
        first = np.flatnonzero(np.diff(wanted, prepend=wanted[0] - 1))
        return cls(tuple(u[first].tolist()), tuple(wanted[first].tolist()))

    @property
    def cycles(self) -> int:
        """About what it costs."""
        return 8 * len(self.starts).bit_length()

    def __call__(self, u: Int64s) -> Int64s:
        """Return the bytes."""
        index = np.searchsorted(np.array(self.starts[1:], np.int64), u, side="right")
        return np.array(self.bytes_, np.int64)[index]

    def words(self) -> str:
        """Return the form for a reader of the assembly."""
        return f"{len(self.starts)} steps by comparison"

    def emit(self, assembly: Assembly, u: Sequence[str]) -> str:
        """Write it; return the register of the byte. Leaves u alone."""
        done = assembly.new_label("byte")
        self._emit_between(assembly, u, 0, len(self.starts), done)
        assembly.label(done)
        return BYTE

    def _emit_between(self, assembly: Assembly, u: Sequence[str], first: int, end: int, done: str) -> None:
        if end - first == 1:
            assembly.op("ldi", BYTE, self.bytes_[first])
            if end < len(self.starts):
                assembly.op("rjmp", done)
            return
        middle = (first + end) // 2
        upper = assembly.new_label("from")
        _compare(assembly, u, self.starts[middle])
        assembly.op("brge" if len(u) > 1 else "brsh", upper)
        if end - first > FAR:
            near = assembly.new_label("near_byte")
            self._emit_between(assembly, u, first, middle, near)
            assembly.label(near)
            assembly.op("rjmp", done)
        else:
            self._emit_between(assembly, u, first, middle, done)
        assembly.label(upper)
        self._emit_between(assembly, u, middle, end, done)


def _compare(assembly: Assembly, u: Sequence[str], value: int) -> None:
    for index, register in enumerate(u):
        byte = value >> 8 * index & 0xFF
        if index == 0 and is_upper(register):
            assembly.op("cpi", register, byte)
            continue
        assembly.op("ldi", FACTOR, byte)
        assembly.op("cpc" if index else "cp", register, FACTOR)
