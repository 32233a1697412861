"""Requantization by a 16-bit multiplier: 8 to 25 cycles.

With u = accumulator - offset in two bytes (uh, ul) and a multiplier (mh, ml), the byte is the high byte of

    p = uh mh + (ul mh >> 8)                        "one": ml = 0
    p = uh mh + (ul mh >> 8) + (uh mh >> 8)         "plus"; "minus" with the last taken off; only for listed points
    p = uh mh + (ul mh >> 8) + (uh ml >> 8)         "two"
    p = uh mh + ((ul mh + uh ml) >> 8)              "all"

and of p + extra u + constant. With a third byte, uh is what both upper bytes make. Every p grows with u: where ul goes
from 255 to 0, uh mh gains mh and no other part loses more than mh. So where such a form is right on both sides of every
step it is right between them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from sinehil.model.arrays import Int64s
from sinehil_kernels.avr.assembly import Assembly
from sinehil_kernels.speed.registers import BYTE, FACTOR, LOW, ZERO

WORD = 1 << 16
KIND_CYCLES = {"one": 8, "plus": 10, "minus": 10, "two": 13, "all": 15}
# How much p can lie below the exact product, in its own units.
KIND_ERROR = {"one": 1, "plus": 2, "minus": 3, "two": 3, "all": 3}
NEAREST_BYTES, NEAREST_WORDS = 4, 40
NEAREST_FEW = 3  # where every accumulator of an interval counts, others come out wrong anyway
SIGNS = {"plus": 1, "minus": -1}
MAX_LEFT, MAX_RIGHT, MAX_EXTRA = 7, 6, 2
SOME = 1  # a constant that the search has yet to fit
MOST_CONSTANT = 255


@dataclass(frozen=True)
class Form16:
    """``shift``: u << shift (or >> -shift) beforehand. ``half``: at half scale, doubled at the end: bit 8 is carry.

    ``third``: u has a third byte, and uh is then both upper ones.
    """

    kind: str
    shift: int
    extra: int
    half: bool
    multiplier: int
    constant: int
    third: bool = False
    most_constant = MOST_CONSTANT

    @property
    def cycles(self) -> int:
        """What it costs, without tests and clamps."""
        shifts = 2 * self.shift if self.shift > 0 else -3 * self.shift
        third = (7 if self.kind == "two" else 3) * self.third
        constant = 2 * (self.constant > 0)
        return KIND_CYCLES[self.kind] + shifts + 2 * self.extra + 2 * self.half + constant + third

    @property
    def slope(self) -> float:
        """How much p grows with u."""
        multiplier = self.multiplier * (1 + SIGNS.get(self.kind, 0) / 256)
        return (multiplier / WORD + self.extra) * 2.0**self.shift

    @property
    def error(self) -> float:
        """How far p can lie below ``slope * u``."""
        lost = self.slope * 2.0**-self.shift if self.shift < 0 else 0.0
        return KIND_ERROR[self.kind] + lost

    @property
    def unit(self) -> int:
        """How much of p is one unit of the byte."""
        return 128 if self.half else 256

    @property
    def capacity(self) -> int:
        """The bytes that it can tell apart: 256, or 512 with the carry."""
        return WORD // self.unit

    def raw(self, u: Int64s) -> Int64s:
        """Return the bytes for u >= 0, before the clamp; ``capacity`` or more where 16 bits do not suffice."""
        v, p = self._shifted(u), self.p(u)
        first = (v >> 8) * (self.multiplier >> 8)  # which "minus" makes smaller only afterwards
        inside = (v < WORD << 8 * self.third) & (first < WORD) & (p < WORD)
        raw: Int64s = np.where(inside, p // self.unit, self.capacity)
        return raw

    def p(self, u: Int64s) -> Int64s:
        """Return p, as if there were more bits."""
        v = self._shifted(u)
        high, low = v >> 8, v & 0xFF
        mh, ml = self.multiplier >> 8, self.multiplier & 0xFF
        p = high * mh
        if self.kind in SIGNS:
            p = p + SIGNS[self.kind] * (p >> 8)
        p = p + (low * mh + high * ml >> 8) if self.kind == "all" else p + (low * mh >> 8) + (high * ml >> 8)
        total: Int64s = p + self.extra * v + self.constant
        return total

    def _shifted(self, u: Int64s) -> Int64s:
        shifted: Int64s = u << self.shift if self.shift >= 0 else u >> -self.shift
        return shifted

    def text(self) -> str:
        """Return the form for a reader of the assembly."""
        v = "u" if self.shift == 0 else f"(u << {self.shift})" if self.shift > 0 else f"(u >> {-self.shift})"
        parts = [f"{v} * {self.multiplier}"]
        parts += [f"{self.extra} * 65536 * {v}"] if self.extra else []
        parts += [f"{self.constant * WORD}"] if self.constant else []
        parts[0] += f" * {256 + SIGNS[self.kind]}/256" if self.kind in SIGNS else ""
        return f"{' + '.join(parts)} >> {23 if self.half else 24} ({self.kind})"

    def emit(self, assembly: Assembly, u: Sequence[str]) -> str:
        """Write it; return the register of the byte, the carry being bit 8 where ``half``. Clobbers u."""
        low, high = u[0], u[1]
        _shift(assembly, u, self.shift)
        assembly.op("ldi", FACTOR, self.multiplier >> 8, note=f"multiplier {self.multiplier}")
        assembly.op("mul", high, FACTOR)
        assembly.op("movw", LOW, "r0")
        if self.third:
            assembly.op("mul", u[2], FACTOR)
            assembly.op("add", BYTE, "r0")
        if self.kind in SIGNS:
            assembly.op("add" if SIGNS[self.kind] > 0 else "sub", LOW, BYTE)
            assembly.op("adc" if SIGNS[self.kind] > 0 else "sbc", BYTE, ZERO)
        assembly.op("mul", low, FACTOR)
        _add(assembly, "r1", ZERO)
        for _ in range(self.extra):
            _add(assembly, low, high)
        if self.kind == "all":
            assembly.op("mov", low, "r0")
        if self.constant:
            assembly.op("subi", LOW, 256 - self.constant)
            assembly.op("sbci", BYTE, 255)
        if self.kind in ("two", "all"):
            self._emit_low_products(assembly, u)
        if self.half:
            assembly.op("lsl", LOW)
            assembly.op("rol", BYTE)
        return BYTE

    def _emit_low_products(self, assembly: Assembly, u: Sequence[str]) -> None:
        assembly.op("ldi", FACTOR, self.multiplier & 0xFF)
        if self.third:
            assembly.op("mul", u[2], FACTOR)
            _add(assembly, "r0", "r1")
        assembly.op("mul", u[1], FACTOR)
        if self.kind == "all":
            assembly.op("add", u[0], "r0")
            assembly.op("adc", LOW, "r1")
        else:
            assembly.op("add", LOW, "r1")
        assembly.op("adc", BYTE, ZERO)


def _add(assembly: Assembly, low: str, high: str) -> None:
    assembly.op("add", LOW, low)
    assembly.op("adc", BYTE, high)


def _shift(assembly: Assembly, u: Sequence[str], shift: int) -> None:
    for _ in range(shift):
        assembly.op("lsl", u[0])
        assembly.op("rol", u[1])
    for _ in range(-shift):
        assembly.op("lsr", u[2])
        assembly.op("ror", u[1])
        assembly.op("ror", u[0])


def forms16(slope: float, highest: int, wide: bool, few: bool) -> Iterator[list[Form16]]:
    """Yield groups of forms with about that slope, cheapest first; ``highest``: about the largest u.

    ``few``: only the nearest multipliers.
    """
    groups: list[list[Form16]] = []
    for half in (False, True):
        for shift in range(-MAX_RIGHT, 0) if wide else range(MAX_LEFT + 1):
            if (highest << shift if shift >= 0 else highest >> -shift) >= WORD + 64:
                continue
            for extra in range(MAX_EXTRA + 1):
                exact = slope * 2.0 ** (24 - shift - half) - extra * WORD
                if 0 < exact < WORD and (exact > WORD / 4 or extra):
                    groups += _groups(exact, shift, extra, half, few)
    yield from sorted(groups, key=lambda group: (group[0].cycles, group[0].half))


def guardable(slope: float, highest: int) -> list[Form16]:
    """Return the forms next to that slope that leave u as it is but for a left shift, cheapest first."""
    found: list[Form16] = []
    third = highest >= WORD
    for half in (False, True):
        for shift in range(1 if third else MAX_LEFT + 1):
            if highest << shift >= WORD and not third:
                break
            for extra in range(1 if third else MAX_EXTRA + 1):
                exact = slope * 2.0 ** (24 - shift - half) - extra * WORD
                kinds = ((kind, m) for kind in ("one", *SIGNS, "two") for m in _next_to(kind, exact))
                found += [Form16(kind, shift, extra, half, m, 0, third) for kind, m in kinds]
    return sorted(found, key=lambda form: form.cycles)


def _next_to(kind: str, exact: float) -> Iterator[int]:
    step = 1 if kind == "two" else 256
    below = int(exact / (1 + SIGNS.get(kind, 0) / 256) / step) * step
    yield from (multiplier for multiplier in (below, below + step) if 0 < multiplier < WORD)


def _groups(exact: float, shift: int, extra: int, half: bool, few: bool) -> Iterator[list[Form16]]:
    high = [256 * (int(exact / 256) + by) for by in _outwards(1 if few else NEAREST_BYTES)]
    word = [int(exact) + by for by in _outwards(NEAREST_FEW if few else NEAREST_WORDS)]
    lists = [("one", high), ("two", word), ("all", word)]
    if not few:
        lists += [(kind, high) for kind in SIGNS]
    for kind, multipliers in lists:
        fitting = [multiplier for multiplier in multipliers if 0 < multiplier < WORD]
        for constant in (0, SOME):
            forms = [Form16(kind, shift, extra, half, m, constant) for m in fitting]
            if forms:
                yield forms


def _outwards(count: int) -> list[int]:
    """Return 0, 1, -1, 2, -2 and so on."""
    return sorted(range(-count, count + 1), key=lambda by: (abs(by), -by))
