"""Register roles and allocation, and the stack frame of the function.

A kernel that needs few accumulators stays with the registers that a function may clobber; every other one that it
uses costs 4 cycles to save and restore, so these come last in the pool.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sinehil_kernels.avr.assembly import Assembly, Instruction
from sinehil_kernels.avr.chip import SPH, SPL, SREG
from sinehil_kernels.avr.machine import CALL_SAVED

LOW, BYTE = "r18", "r19"  # a pair: what is requantised, low and high; the high one is the byte that results
THIRD = "r22"  # the third byte of a long product; an accumulator's third byte if there is no long product
FACTOR = "r23"  # what is multiplied by
INPUT = "r24"  # u = x + 128 of a one-input model
ZERO = "r25"
REGISTER = re.compile(r"r\d+")
X, Z = ("r26", "r27"), ("r30", "r31")
PAIRS = (
    ("r20", "r21"),
    X,
    Z,
    ("r28", "r29"),
    ("r16", "r17"),
    *((f"r{n}", f"r{n + 1}") for n in range(14, 0, -2)),
)


def is_upper(register: str) -> bool:
    """Whether the register can be given an immediate."""
    return int(register[1:]) >= 16


Registers = tuple[str, ...]  # of one accumulator, lowest byte first


@dataclass(frozen=True)
class RegisterPool:
    """The registers that are free for accumulators, in pairs and single."""

    pairs: tuple[tuple[str, str], ...]
    singles: tuple[str, ...]

    @classmethod
    def of(cls, taken: Iterable[str], singles: Iterable[str]) -> "RegisterPool":
        """Return all pairs that have no register in ``taken``, and the ``singles`` that are not in it."""
        used = set(taken)
        return cls(
            tuple(pair for pair in PAIRS if not used & set(pair)),
            tuple(single for single in singles if single not in used),
        )

    def take(self, widths: Sequence[int]) -> list[Registers] | None:
        """Return registers for accumulators of 2 or 3 bytes each, lowest byte first; None if there are too few.

        Two singles do for a pair where both can be loaded with immediates, which all singles here can.
        """
        pairs, singles = list(self.pairs), list(self.singles)
        if len(singles) >= 2 and (3 not in widths or len(pairs) < len(widths)):
            pairs.insert(self._first_saved, (singles[0], singles[1]))
            singles = singles[2:]
        spare = [*singles, *(register for pair in pairs[len(widths) :] for register in pair)]
        if len(pairs) < len(widths) or len(spare) < sum(width == 3 for width in widths):
            return None
        ahead = iter(spare)
        return [
            (*pair, next(ahead)) if width == 3 else pair for pair, width in zip(pairs, widths, strict=False)
        ]

    @property
    def _first_saved(self) -> int:
        """Which pair is the first that has to be saved; two singles come before it."""
        return sum(int(pair[0][1:]) not in CALL_SAVED for pair in self.pairs)


def load(assembly: Assembly, registers: Sequence[str], value: int, note: str = "") -> None:
    """Set an accumulator to a constant, modulo its width; clobbers LOW, BYTE and FACTOR for low registers."""
    bytes_ = [value >> 8 * index & 0xFF for index in range(len(registers))]
    if is_upper(registers[0]):
        assembly.op("ldi", registers[0], bytes_[0], note=note)
        assembly.op("ldi", registers[1], bytes_[1])
    else:
        assembly.op("ldi", LOW, bytes_[0], note=note)
        assembly.op("ldi", BYTE, bytes_[1])
        assembly.op("movw", registers[0], LOW)
    for register, byte in zip(registers[2:], bytes_[2:], strict=True):
        if is_upper(register):
            assembly.op("ldi", register, byte)
        else:
            assembly.op("ldi", FACTOR, byte)
            assembly.op("mov", register, FACTOR)


def saved(assembly: Assembly) -> list[str]:
    """Return the registers that the function may change and that its caller wants back, in ascending order."""
    used: set[int] = set()
    for item in (*assembly.items, *assembly.aside):
        if isinstance(item, Instruction):
            numbers = {int(str(operand)[1:]) for operand in item.operands if REGISTER.fullmatch(str(operand))}
            used |= numbers | {number + 1 for number in numbers if item.mnemonic == "movw"}
    return [f"r{number}" for number in sorted(used & set(CALL_SAVED))]


POINTER_BYTES, MOST_POPS = 2, 4
Y = ("r28", "r29")
ARGUMENT = ("r22", "r23")  # in which y_q comes


@dataclass
class StackFrame:
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
