"""The function's frame: saved registers, y_q, what stages push, and the way out."""

from dataclasses import dataclass

from sinehil_kernels.avr.assembly import Assembly
from sinehil_kernels.avr.chip import SPH, SPL, SREG
from sinehil_kernels.speed.registers import BYTE, LOW, Z, saved

POINTER_BYTES, MOST_POPS = 2, 4
Y = ("r28", "r29")
ARGUMENT = ("r22", "r23")  # in which y_q comes


@dataclass
class Frame:
    """Knows how much has been pushed. ``tables``: Z is needed for them, so that y_q has to be in Y.

    ``y_in_z``: y_q is in Z all the time, from ``keep_outputs`` on, instead of on the stack.
    """

    assembly: Assembly
    tables: bool
    y_in_z: bool = False
    pushed: int = 0
    popped: bool = False

    @property
    def reserved(self) -> tuple[str, ...]:
        """The registers that no accumulator may have while y_q is needed."""
        return (*Y, *Z) if self.tables else Z

    @property
    def _y_q(self) -> tuple[str, str]:
        return Y if self.tables else Z

    def push(self, byte: str) -> None:
        """Keep a byte."""
        self.assembly.op("push", byte)
        self.pushed += 1

    def point(self, pointer: tuple[str, str]) -> None:
        """Let the pointer be at the byte pushed last."""
        low, high = pointer
        self.assembly.op("in", low, SPL)
        self.assembly.op("in", high, SPH)
        self.assembly.op("adiw", low, 1)

    def keep_outputs(self) -> None:
        """Let Z be y_q, which is in the registers of an argument still."""
        self.assembly.op("movw", Z[0], ARGUMENT[0], note="Z = y_q")

    def find_outputs(self) -> None:
        """Get y_q back, which lies above everything that was pushed; clobbers LOW and BYTE."""
        if self.y_in_z:
            return
        low, high = self._y_q
        if not self.pushed:
            self.assembly.op("pop", high, note="y_q")
            self.assembly.op("pop", low)
            self.popped = True
            return
        self._above(low, high, self.pushed)
        pointer = "Y" if self.tables else "Z"
        self.assembly.op("ldd", LOW, f"{pointer}+2", note="y_q")
        self.assembly.op("ldd", BYTE, f"{pointer}+1")
        self.assembly.op("movw", low, LOW)

    def _above(self, low: str, high: str, count: int) -> None:
        """Set a pointer to the stack pointer as it was ``count`` bytes ago."""
        self.assembly.op("in", low, SPL)
        self.assembly.op("in", high, SPH)
        self.assembly.op("subi", low, -count & 0xFF)
        self.assembly.op("sbci", high, -count >> 8 & 0xFF)

    def output(self, byte: str, number: int, base: int) -> None:
        """Store an output code."""
        if base:
            self.assembly.op("subi", byte, -base & 0xFF)
        self.assembly.op("std", f"{'Y' if self.tables else 'Z'}+{number}", byte)

    def framed(self) -> Assembly:
        """Return the function: what was written, and its beginning and end around it."""
        self._free()
        keep = saved(self.assembly)
        whole = self.assembly.beside()
        for register in keep:
            whole.op("push", register)
        for register in () if self.y_in_z else ARGUMENT:
            whole.op("push", register, note="y_q" if register == ARGUMENT[0] else "")
        whole.items += self.assembly.items
        whole.op("clr", "r1")
        for register in reversed(keep):
            whole.op("pop", register)
        whole.op("ret")
        whole.items += self.assembly.aside
        return whole

    def _free(self) -> None:
        """Take everything that was pushed off the stack."""
        count = self.pushed + (0 if self.popped or self.y_in_z else POINTER_BYTES)
        if count <= MOST_POPS:
            for _ in range(count):
                self.assembly.op("pop", "r0")
            return
        self._above(*Z, count)
        self.assembly.op("in", "r0", SREG)
        self.assembly.op("cli")
        self.assembly.op("out", SPH, Z[1])
        self.assembly.op("out", SREG, "r0")
        self.assembly.op("out", SPL, Z[0])
