"""Who owns which register. r0 and r1 are the product of every MUL.

A kernel that needs few accumulators stays with the registers that a function may clobber; every other one that it
uses costs 4 cycles to save and restore, so these come last in the pool.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sinehil_kernels.avr.assembly import Assembly, Instruction
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
class Pool:
    """The registers that are free for accumulators, in pairs and single."""

    pairs: tuple[tuple[str, str], ...]
    singles: tuple[str, ...]

    @classmethod
    def of(cls, taken: Iterable[str], singles: Iterable[str]) -> "Pool":
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
