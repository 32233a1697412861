"""Requantisation by a 32-bit multiplier: about 80 cycles, for intervals in which some product lies close to a tie.

With u = (u2, u1, u0), a multiplier (m3, m2, m1, m0) and p the sum of all ui mj 2^(8 (i + j - 2)) without u0 m0, where
of u1 m0 and u0 m1 only the high bytes count, the byte is p >> 23. Where a byte of u goes from 255 to 0, its high byte's
product gains more than what it loses; so p grows with u.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from sinehil.model.arrays import Int64s
from sinehil_kernels.avr.assembly import Assembly
from sinehil_kernels.speed.form16 import SOME
from sinehil_kernels.speed.registers import BYTE, FACTOR, INPUT, LOW, THIRD, ZERO

SUM = (INPUT, LOW, BYTE, THIRD)  # bytes of p, the lowest first
MAX_LEFT, NEAREST = 15, 4
UPPER, TOP_BIT = 1 << 32, 1 << 23


@dataclass(frozen=True)
class Form32:
    """``shift``: u << shift beforehand. ``long``: u takes three bytes, else two."""

    shift: int
    multiplier: int
    long: bool
    constant: int = 0

    kind = "32-bit"
    most_constant = 0xFFFF
    unit = TOP_BIT
    capacity = 512
    error = 3.0

    @property
    def cycles(self) -> int:
        """About what it costs, without tests and clamps."""
        return (80 if self.long else 60) + (2 + self.long) * (self.shift // 8 + self.shift % 8)

    @property
    def slope(self) -> float:
        """How much p grows with u."""
        return self.multiplier / 65536 * 2.0**self.shift

    def raw(self, u: Int64s) -> Int64s:
        """Return the bytes for u >= 0, before the clamp; ``capacity`` or more where the registers do not suffice."""
        p = self.p(u)
        inside = (u << self.shift < (1 << 24 if self.long else 1 << 16)) & (p < UPPER)
        raw: Int64s = np.where(inside, p // self.unit, self.capacity)
        return raw

    def p(self, u: Int64s) -> Int64s:
        """Return p, as if there were more bits."""
        v = u << self.shift
        total: Int64s = np.full_like(v, self.constant)
        for i, j in self._places():
            product = (v >> 8 * i & 0xFF) * (self.multiplier >> 8 * j & 0xFF)
            total = total + (product << 8 * (i + j - 2) if i + j >= 2 else product >> 8)
        return total

    def _places(self) -> Iterator[tuple[int, int]]:
        for j in range(4):
            yield from ((i, j) for i in range(3 if self.long else 2) if i + j)

    def words(self) -> str:
        """Return the form for a reader of the assembly."""
        u = f"(u << {self.shift})" if self.shift else "u"
        return f"{u} * {self.multiplier} + {self.constant << 16} >> 39 (32-bit multiplier)"

    def emit(self, assembly: Assembly, u: Sequence[str]) -> str:
        """Write it; return the register of the byte, the carry being bit 8. Clobbers u."""
        shift_left(assembly, u[: 3 if self.long else 2], self.shift)
        for index, register in enumerate(SUM):
            assembly.op("ldi", register, self.constant >> 8 * index & 0xFF)
        factor = -1
        for i, j in self._places():
            if j != factor:
                assembly.op(
                    "ldi", FACTOR, self.multiplier >> 8 * j & 0xFF, note=f"byte {j} of {self.multiplier}"
                )
                factor = j
            assembly.op("mul", u[i], FACTOR)
            self._add(assembly, i + j - 2)
        assembly.op("lsl", BYTE)
        assembly.op("rol", THIRD)
        return THIRD

    def _add(self, assembly: Assembly, at: int) -> None:
        """Add the product to the sum from its byte ``at`` on; carries run to the end, where they are known to stop."""
        addends = ["r0", "r1"] if at >= 0 else ["r1"]
        first = max(at, 0)
        for index in range(first, len(SUM)):
            addend = addends[index - first] if index - first < len(addends) else ZERO
            assembly.op("adc" if index > first else "add", SUM[index], addend)


def shift_left(assembly: Assembly, registers: Sequence[str], shift: int) -> None:
    """Shift left, whole bytes by moves."""
    whole, rest = divmod(shift, 8)
    for _ in range(whole):
        for index in range(len(registers) - 1, 0, -1):
            assembly.op("mov", registers[index], registers[index - 1])
        assembly.op("mov", registers[0], ZERO)
    for _ in range(rest):
        assembly.op("lsl", registers[0])
        for register in registers[1:]:
            assembly.op("rol", register)


def forms32(slope: float, highest: int, wide: bool) -> Iterator[list[Form32]]:
    """Yield a group of forms with about that slope; ``highest``: about the largest u."""
    for shift in range(MAX_LEFT + 1):
        exact = round(slope * 2.0 ** (39 - shift))
        if exact + NEAREST >= UPPER or highest << shift >= (1 << 24 if wide else 1 << 16) + 64:
            continue
        nearby = sorted(range(exact - NEAREST, exact + NEAREST + 1), key=lambda m: (abs(m - exact), m))
        yield [Form32(shift, m, wide, SOME) for m in nearby]
        return
