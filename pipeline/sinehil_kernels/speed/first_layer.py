"""First layer of a one-input model: each byte computed from the input, in 4 to 20 cycles.

With input_u8 = x + 128 a neuron is a line, rounded and clamped; all 256 points are known, so that short constants can
be found for which one or two 8-bit products give every byte right. Where none are, the byte is found by comparisons
of input_u8.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from sinehil.model.arrays import Bools, Int64s
from sinehil_kernels.avr.assembly import Assembly
from sinehil_kernels.speed.folded_network import FoldedNeuron
from sinehil_kernels.speed.registers import BYTE, FACTOR, INPUT, LOW, ZERO
from sinehil_kernels.speed.requantization_plan import StepSearch

BYTE_VALUES, WORD = 256, 1 << 16
MIRROR = 255
ALWAYS = 0.05  # a neuron that is inactive on fewer of the codes is computed on all of them
MAX_WHOLE, MAX_SHIFT, NEAREST_BYTES, NEAREST_WORDS = 4, 3, 6, 200
CLAMP_CYCLES = 3
KIND_CYCLES = {"bare": 4, "high": 5, "word": 6, "plus": 8, "minus": 8, "two": 11}
SIGNS = {"plus": 1, "minus": -1}


@dataclass(frozen=True)
class FirstLayerLine:
    """byte = (constant +- product +- 256 whole input_u8) >> 8, then >> shift, all modulo 2^16.

    ``kind``: "bare" product = input_u8 factor, constant 0, rising; "high" only its high byte counts; "word" all of it;
    "plus" and "minus", rising, with product >> 8 besides; "two" factor has 16 bits, fh and fl:
    product = input_u8 fh + (input_u8 fl >> 8).
    """

    kind: str
    falling: bool
    whole: int
    factor: int
    shift: int
    constant: int

    @property
    def cycles(self) -> int:
        """What it costs."""
        carries = self.kind == "two" and self.falling and self._low_sum_carries()
        word = self.kind == "word" and self.falling
        return KIND_CYCLES[self.kind] + word + carries + self.whole + self.shift

    def __call__(self, input_u8: Int64s) -> Int64s:
        """Return the bytes as the assembly computes them."""
        sign = -1 if self.falling else 1
        word = (self.constant + sign * (self._product(input_u8) + BYTE_VALUES * self.whole * input_u8)) % WORD
        bytes_: Int64s = (word >> 8) >> self.shift
        return bytes_

    def _product(self, input_u8: Int64s) -> Int64s:
        if self.kind == "two":
            return input_u8 * (self.factor >> 8) + (input_u8 * (self.factor & 0xFF) >> 8)
        product = input_u8 * self.factor
        if self.kind in SIGNS:
            return product + SIGNS[self.kind] * (product >> 8)
        return product & 0xFF00 if self.kind in ("bare", "high") else product

    def _low_sum_carries(self) -> bool:
        low, most = self.constant & 0xFF, 255 * (self.factor & 0xFF) >> 8
        return low < most if self.falling else low + most > 255

    def text(self) -> str:
        """Return the form for a reader of the assembly."""
        sign = "-" if self.falling else "+"
        factor = f"{self.whole} + {self.factor}/{WORD if self.kind == 'two' else BYTE_VALUES}"
        if self.kind in SIGNS:
            factor += f" * {BYTE_VALUES + SIGNS[self.kind]}/{BYTE_VALUES}"
        return f"({self.constant}/256 {sign} u * ({factor})) >> {self.shift} ({self.kind})"

    def emit(self, assembly: Assembly) -> str:
        """Write it; return the register of the byte."""
        first, then = ("sub", "sbc") if self.falling else ("add", "adc")
        low, high = self.constant & 0xFF, self.constant >> 8
        in_two = self.kind == "two" and not self.falling
        assembly.op("ldi", FACTOR, self.factor >> 8 if in_two else self.factor & 0xFF)
        assembly.op("mul", INPUT, FACTOR)
        if self.kind == "bare":
            assembly.op("mov", BYTE, "r1")
        elif self.kind == "high":
            assembly.op("ldi", BYTE, high)
            assembly.op(first, BYTE, "r1")
        elif not self.falling:
            self._emit_rising(assembly)
        else:
            assembly.op("ldi", LOW, low)
            assembly.op("ldi", BYTE, high)
            if self.kind == "two":
                assembly.op(first, LOW, "r1")
                if self._low_sum_carries():
                    assembly.op(then, BYTE, ZERO)
                assembly.op("ldi", FACTOR, self.factor >> 8)
                assembly.op("mul", INPUT, FACTOR)
            assembly.op(first, LOW, "r0")
            assembly.op(then, BYTE, "r1")
        for _ in range(self.whole):
            assembly.op(first, BYTE, INPUT)
        for _ in range(self.shift):
            assembly.op("lsr", BYTE)
        return BYTE

    def _emit_rising(self, assembly: Assembly) -> None:
        assembly.op("movw", LOW, "r0")
        if self.kind in SIGNS:
            assembly.op("add" if SIGNS[self.kind] > 0 else "sub", LOW, "r1")
            assembly.op("adc" if SIGNS[self.kind] > 0 else "sbc", BYTE, ZERO)
        assembly.op("subi", LOW, -self.constant & 0xFF)
        assembly.op("sbci", BYTE, -self.constant >> 8 & 0xFF)
        if self.kind == "two":
            assembly.op("ldi", FACTOR, self.factor & 0xFF)
            assembly.op("mul", INPUT, FACTOR)
            assembly.op("add", LOW, "r1")
            assembly.op("adc", BYTE, ZERO)


@dataclass(frozen=True)
class FirstByte:
    """A first-layer neuron on the codes ``input_u8`` [n]: where it is ``active`` [n], its form there, its clamp.

    ``clamp``: None, or the first input_u8 that is clamped to ``top`` (rising) or the first that is not (falling).
    ``mirrored``: all that is in 255 - input_u8 instead of input_u8, so that a neuron which is inactive on high codes
    rises as well.
    """

    form: FirstLayerLine | StepSearch
    input_u8: Int64s
    active: Bools
    rising: bool
    clamp: int | None
    top: int
    mirrored: bool = False

    @property
    def kind(self) -> str:
        """Say whether it is "always" active, or from a threshold ``up``, or ``down`` from it."""
        return "always" if self.active.all() else "down" if self.mirrored else "up"

    @property
    def threshold(self) -> int:
        """The first active input_u8, or 255 - input_u8 where ``mirrored``."""
        return int(self.input_u8[self.active][0])

    @property
    def cycles(self) -> int:
        """What it costs when active."""
        if isinstance(self.form, StepSearch):
            return 4 * len(self.form.starts).bit_length()
        return self.form.cycles + CLAMP_CYCLES * (self.clamp is not None)

    def emit(self, assembly: Assembly) -> str:
        """Write it; return the register of the byte."""
        if isinstance(self.form, StepSearch):
            return self.form.emit(assembly, (INPUT,))
        byte = self.form.emit(assembly)
        if self.clamp is not None:
            below = assembly.new_label("below")
            assembly.op("cpi", INPUT, self.clamp)
            assembly.op("brlo" if self.rising else "brsh", below)
            assembly.op("ldi", byte, self.top)
            assembly.label(below)
        return byte


def find_first_byte(neuron: FoldedNeuron, input_u8: Int64s, can_be_inactive: bool) -> FirstByte:
    """Return the cheapest form that is right on every active one of the codes ``input_u8`` [n], which its trace is of.

    With ``can_be_inactive`` those are the codes on which its byte is not 0, else all.
    """
    assert neuron.trace is not None
    wanted = neuron.wanted[np.searchsorted(neuron.accumulators, neuron.trace)]
    active = (wanted > 0) | (not can_be_inactive)
    if (~active).mean() < ALWAYS:
        everywhere = _on(neuron, input_u8, wanted, np.ones(len(input_u8), np.bool_))
        if isinstance(everywhere.form, FirstLayerLine) or active.all():
            return everywhere
    return _on(neuron, input_u8, wanted, active)


def _on(neuron: FoldedNeuron, input_u8: Int64s, wanted: Int64s, active: Bools) -> FirstByte:
    rising = neuron.weights[0] > 0
    mirrored = not rising and not active.all()
    if mirrored:
        input_u8, wanted, active, rising = MIRROR - input_u8[::-1], wanted[::-1], active[::-1], True
    steps = StepSearch.through(input_u8[active], wanted[active])
    found = FirstByte(steps, input_u8, active, rising, None, neuron.top, mirrored)
    whole = _first_line(neuron, input_u8[active], wanted[active], rising)
    if whole is not None:
        found = replace(found, form=whole)
    below = active & (wanted < neuron.top)
    clamped = input_u8[active & ~below]
    if below.any() and clamped.size:
        line = _first_line(neuron, input_u8[below], wanted[below], rising)
        clamp = int(clamped[0]) if rising else int(clamped[-1]) + 1
        if line is not None and (whole is None or line.cycles + CLAMP_CYCLES < whole.cycles):
            found = replace(found, form=line, clamp=clamp)
    return found


def _first_line(
    neuron: FoldedNeuron, input_u8: Int64s, wanted: Int64s, rising: bool
) -> FirstLayerLine | None:
    slope = abs(neuron.weights[0]) * neuron.slope
    one = _cheapest(None, _one_product(slope, input_u8, wanted, rising), input_u8, wanted)
    if one is not None and one.cycles <= KIND_CYCLES["two"]:
        return one
    return _cheapest(one, _two_products(slope, input_u8, wanted, rising), input_u8, wanted)


def _cheapest(
    best: FirstLayerLine | None, lines: Iterable[FirstLayerLine], input_u8: Int64s, wanted: Int64s
) -> FirstLayerLine | None:
    for line in lines:
        if (best is None or line.cycles < best.cycles) and np.array_equal(line(input_u8), wanted):
            best = line
    return best


def _one_product(slope: float, input_u8: Int64s, wanted: Int64s, rising: bool) -> Iterator[FirstLayerLine]:
    for whole in range(int(slope) - 1, int(slope) + 1):
        for shift in range(MAX_SHIFT + 1):
            exact = round((slope - whole) * BYTE_VALUES * 2**shift)
            if whole < 0 or whole > MAX_WHOLE or (whole and shift):
                continue
            for factor in range(max(0, exact - NEAREST_BYTES), min(256, exact + NEAREST_BYTES + 1)):
                if rising:
                    yield FirstLayerLine("bare", False, whole, factor, shift, 0)
                for kind in ("high", "word", *(SIGNS if rising else ())):
                    yield from _with_constant(
                        FirstLayerLine(kind, not rising, whole, factor, shift, 0), input_u8, wanted
                    )


def _two_products(slope: float, input_u8: Int64s, wanted: Int64s, rising: bool) -> Iterator[FirstLayerLine]:
    for whole in range(max(0, int(slope) - 1), min(int(slope), MAX_WHOLE) + 1):
        exact = round((slope - whole) * WORD)
        for factor in sorted(
            range(max(0, exact - NEAREST_WORDS), min(WORD, exact + NEAREST_WORDS + 1)),
            key=lambda value: abs(value - exact),
        ):
            yield from _with_constant(
                FirstLayerLine("two", not rising, whole, factor, 0, 0), input_u8, wanted
            )


def _with_constant(line: FirstLayerLine, input_u8: Int64s, wanted: Int64s) -> Iterator[FirstLayerLine]:
    """Yield the line with constants that put every input_u8 between wanted and wanted + 1, if there are any."""
    grown = line._product(input_u8) + BYTE_VALUES * line.whole * input_u8
    remainder = -grown if line.falling else grown
    unit = BYTE_VALUES << line.shift
    low, high = int((wanted * unit - remainder).max()), int((wanted * unit + unit - 1 - remainder).min())
    if low > high or (int(wanted.max()) + 1) * unit > WORD:
        return
    if line.kind == "high":
        low = -(-low // 256) * 256
        if low <= high:
            yield replace(line, constant=low % WORD)
        return
    for constant in {low, (low + high) // 2, high}:
        yield replace(line, constant=constant % WORD)
