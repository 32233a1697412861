"""Requantization by a 24-bit multiplier (24 to 60 cycles) or a 32-bit one (about 80).

32 bits: with u = (u2, u1, u0), a multiplier (m3, m2, m1, m0) and p the sum of all ui mj 2^(8 (i + j - 2)) without u0
m0, where of u1 m0 and u0 m1 only the high bytes count, the byte is p >> 23. Where a byte of u goes from 255 to 0, its
high byte's product gains more than what it loses; so p grows with u.

24 bits: with u of up to three bytes and a multiplier (m2, m1, m0), the byte is p >> (16 + right) with

    p = u m2 + (u m1 >> 8) + ((u >> 8) m0 >> 8) + constant

Each part grows with u, and what is left off is below 2 units of p; the search finds multipliers for which that does no
harm.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from sinehil.model.arrays import Int64s
from sinehil_kernels.avr.assembly import Assembly
from sinehil_kernels.speed.form16 import SOME
from sinehil_kernels.speed.registers import BYTE, FACTOR, INPUT, LOW, THIRD, ZERO

SUM = (INPUT, LOW, BYTE, THIRD)  # bytes of p, the lowest first
MAX_LEFT_32, NEAREST_32 = 15, 4
UPPER_32, TOP_BIT = 1 << 32, 1 << 23


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
        inside = (u << self.shift < (1 << 24 if self.long else 1 << 16)) & (p < UPPER_32)
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

    def text(self) -> str:
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
    for shift in range(MAX_LEFT_32 + 1):
        exact = round(slope * 2.0 ** (39 - shift))
        if exact + NEAREST_32 >= UPPER_32 or highest << shift >= (1 << 24 if wide else 1 << 16) + 64:
            continue
        nearby = sorted(range(exact - NEAREST_32, exact + NEAREST_32 + 1), key=lambda m: (abs(m - exact), m))
        yield [Form32(shift, m, wide, SOME) for m in nearby]
        return


MAX_LEFT_24, MAX_RIGHT_24, NEAREST_24 = 15, 6, 6
WORD = 1 << 16
UPPER_24 = 1 << 24


@dataclass(frozen=True)
class Form24:
    """``shift``: u << shift beforehand (p >> -shift afterwards). ``long``: u then takes all three bytes.

    Where it takes two, p is doubled at the end, so that the multiplier has its 24 bits; bit 8 is then the carry.
    """

    shift: int
    multiplier: int
    long: bool
    constant: int = 0

    kind = "24-bit"
    most_constant = 0xFFFF

    @property
    def cycles(self) -> int:
        """What it costs, without tests and clamps."""
        whole, rest = divmod(max(self.shift, 0), 8)
        width = 3 if self.long else 2
        base = (41 if self.long else 26) + (2 + self.long) * (self.constant > 0)
        return base + width * (whole + rest) + (1 + self.long) * max(-self.shift, 0)

    @property
    def slope(self) -> float:
        """How much p grows with u."""
        return self.multiplier / WORD * 2.0 ** max(self.shift, 0)

    @property
    def error(self) -> float:
        """How far p can lie below ``slope * u``."""
        return 3.0

    @property
    def unit(self) -> int:
        """How much of p is one unit of the byte."""
        return WORD << max(-self.shift, 0) if self.long else WORD // 2

    @property
    def capacity(self) -> int:
        """What it can tell apart: a word that shows what exceeds 255, or a byte if nothing is left above it."""
        return WORD >> max(-self.shift, 0) if self.long else 512

    def raw(self, u: Int64s) -> Int64s:
        """Return the bytes for u >= 0, before the clamp; ``capacity`` or more where the registers do not suffice."""
        v, p = u << max(self.shift, 0), self.p(u)
        limit = UPPER_24 if self.long else WORD  # of u, and of the sum to which u m2 comes last
        inside = (v < limit) & (p - v * (self.multiplier >> 16) < limit) & (p < 256 * limit)
        raw: Int64s = np.where(inside, p // self.unit, self.capacity)
        return raw

    def p(self, u: Int64s) -> Int64s:
        """Return p, as if there were more bits."""
        v = u << max(self.shift, 0)
        m2, m1, m0 = self.multiplier >> 16, self.multiplier >> 8 & 0xFF, self.multiplier & 0xFF
        total: Int64s = v * m2 + (v * m1 >> 8) + ((v >> 8) * m0 >> 8) + self.constant
        return total

    def text(self) -> str:
        """Return the form for a reader of the assembly."""
        u = f"(u << {self.shift})" if self.shift > 0 else "u"
        constant = f" + {self.constant * WORD}" if self.constant else ""
        down = 32 + max(-self.shift, 0) if self.long else 31
        return f"{u} * {self.multiplier}{constant} >> {down} (24-bit multiplier)"

    def emit(self, assembly: Assembly, u: Sequence[str]) -> str:
        """Write it; return the register of the byte; what is above it is in u[2] if ``long``. Clobbers u."""
        shift_left(assembly, u if self.long else u[:2], max(self.shift, 0))
        m2, m1, m0 = self.multiplier >> 16, self.multiplier >> 8 & 0xFF, self.multiplier & 0xFF
        self._emit_middle(assembly, u, m1)
        self._emit_low(assembly, u, m0)
        self._emit_constant(assembly)
        self._emit_high(assembly, u, m2)
        if not self.long:
            assembly.op("lsl", BYTE)
            assembly.op("rol", THIRD)
        for _ in range(-self.shift):
            assembly.op("lsr", u[2])
            assembly.op("ror", THIRD)
        return THIRD

    def _emit_constant(self, assembly: Assembly) -> None:
        """Add it, by subtracting its complement; see ``raw`` for whether it fits."""
        if self.constant:
            complement = -self.constant & 0xFFFF
            assembly.op("subi", LOW, complement & 0xFF)
            assembly.op("sbci", BYTE, complement >> 8)
            if self.long:
                assembly.op("sbci", THIRD, 0xFF)

    def _emit_middle(self, assembly: Assembly, u: Sequence[str], m1: int) -> None:
        """Set LOW, BYTE, THIRD to u m1 >> 8."""
        assembly.op("ldi", FACTOR, m1, note=f"multiplier {self.multiplier}")
        assembly.op("mul", u[1], FACTOR)
        assembly.op("movw", LOW, "r0")
        assembly.op("mul", u[0], FACTOR)
        _add(assembly, (LOW, BYTE), ("r1", ZERO))
        if self.long:
            assembly.op("mul", u[2], FACTOR)
            assembly.op("add", BYTE, "r0")
            assembly.op("mov", THIRD, "r1")
            assembly.op("adc", THIRD, ZERO)

    def _emit_low(self, assembly: Assembly, u: Sequence[str], m0: int) -> None:
        """Add (u >> 8) m0 >> 8."""
        assembly.op("ldi", FACTOR, m0)
        assembly.op("mul", u[1], FACTOR)
        _add(assembly, (LOW, BYTE, THIRD)[: 2 + self.long], ("r1", ZERO, ZERO)[: 2 + self.long])
        if self.long:
            assembly.op("mul", u[2], FACTOR)
            _add(assembly, (LOW, BYTE, THIRD), ("r0", "r1", ZERO))

    def _emit_high(self, assembly: Assembly, u: Sequence[str], m2: int) -> None:
        """Add u m2; the fourth byte of the sum takes the place of u[2]."""
        assembly.op("ldi", FACTOR, m2)
        total: tuple[str, ...] = (LOW, BYTE, THIRD)
        if self.long:
            assembly.op("mul", u[2], FACTOR)
            assembly.op("add", THIRD, "r0")
            assembly.op("mov", u[2], "r1")
            assembly.op("adc", u[2], ZERO)
            total = (LOW, BYTE, THIRD, u[2])
        assembly.op("mul", u[0], FACTOR)
        if self.long:
            _add(assembly, total, ("r0", "r1", ZERO, ZERO))
        else:
            _add(assembly, (LOW, BYTE), ("r0", "r1"))
            assembly.op("mov", THIRD, ZERO)
            assembly.op("adc", THIRD, ZERO)
        assembly.op("mul", u[1], FACTOR)
        _add(assembly, total[1:], ("r0", "r1", ZERO)[: len(total) - 1])


def _add(assembly: Assembly, total: Sequence[str], addend: Sequence[str]) -> None:
    assembly.op("add", total[0], addend[0])
    for register, other in zip(total[1:], addend[1:], strict=True):
        assembly.op("adc", register, other)


def forms24(slope: float, highest: int, wide: bool) -> Iterator[list[Form24]]:
    """Yield groups of forms with about that slope, cheapest first; ``highest``: about the largest u."""
    groups: list[list[Form24]] = []
    for long in (False, True) if wide else (False,):
        bits = 32 if long else 31
        for shift in range(-MAX_RIGHT_24 if long else 0, MAX_LEFT_24 + 1):
            exact = round(slope * 2.0 ** (bits - shift))
            if (
                not UPPER_24 // 8 <= exact < UPPER_24
                or highest << max(shift, 0) >= (UPPER_24 if long else WORD) + 64
            ):
                continue
            nearby = range(exact - NEAREST_24, exact + NEAREST_24 + 1)
            forms = [Form24(shift, m, long, SOME) for m in sorted(nearby, key=lambda m: (abs(m - exact), m))]
            groups.append([form for form in forms if form.multiplier < UPPER_24])
    yield from sorted(groups, key=lambda group: group[0].cycles)
