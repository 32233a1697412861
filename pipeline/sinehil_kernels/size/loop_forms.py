"""Integer forms of requantization that the loop can compute, exactly as its instructions do.

With v = accumulator - offset, a form gives a byte: 0 for a negative v, 255 for what is beyond a byte. A value of -1
stands for what the instructions would get wrong; it never equals a wanted byte, so such constants are never used.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from sinehil.model.arrays import Int64s
from sinehil_kernels.size.loop_network import LoopNeuron

WRONG = -1
FIRST = 8  # shifts to the left after which the first byte is the result as it is
FAR, UNKNOWN = 1 << 16, 1 << 24
BYTE = 255
LAST_CARRY = 4  # up to so many shifts to the left, what is beyond a byte is the last one's carry


@dataclass(frozen=True)
class NeuronConstants:
    """What one neuron's form computes with.

    ``below``: the addend of negative accumulators, where the form has one for them.
    ``corrections``: (v, what is added to the byte from there on), ascending.
    """

    neuron: LoopNeuron
    offset: int
    multiplier: int = 0
    addend: int = 0
    below: int = 0
    corrections: tuple[tuple[int, int], ...] = ()
    steps: tuple[int, ...] = ()

    @property
    def zero(self) -> int:
        """The v of accumulator 0, or the least that there is."""
        return max(0, -self.offset)

    @property
    def bias(self) -> int:
        """The neuron's bias with the offset folded in."""
        return self.neuron.bias - self.offset


class MultiplyingForm(Protocol):
    """A form that multiplies."""

    @property
    def corrections(self) -> bool:
        """Whether the stream has corrections to add from some sums on."""

    @property
    def doubled(self) -> bool:
        """Whether sums are twice the accumulators."""


def common_text(form: MultiplyingForm) -> list[str]:
    """Return the part of a form's comment that all multiplying forms share."""
    parts = ["with corrections"] if form.corrections else []
    return [*parts, *(["sums twice the accumulators"] if form.doubled else [])]


def corrected(bytes_: Int64s, v: Int64s, constants: NeuronConstants) -> Int64s:
    """Return the bytes after the corrections; what is below zero stays as it is."""
    if not constants.corrections:
        return bytes_
    places, added = np.array(constants.corrections).T
    sums = np.concatenate([[0], np.cumsum(added)])[np.searchsorted(places, v, side="right")]
    return np.where((v < 0) | (bytes_ == WRONG), bytes_, (bytes_ + sums) & BYTE)


@dataclass(frozen=True)
class LongForm:
    """byte = v * multiplier + addend >> exponent, with v of three bytes and every product.

    The multiplier has two to four bytes, the lowest first; after each the sum is shifted right by eight bits.
    ``after``: what comes out is shifted left so often, and the byte is the second then; 8 stands for the first as it
    is. ``addend_bytes``: how many of the addend's upper bytes the stream has.
    ``split``: negative accumulators have an addend of their own, since TFLM rounds them in another way.
    ``corrections``: the stream says what to add to the byte from some v on, so that any step function can be had.
    """

    multiplier_bytes: int
    after: int
    addend_bytes: int
    corrections: bool
    signed: bool = True
    doubled: bool = False
    split: bool = False

    def text(self) -> str:
        """Return the form for a reader of the assembly."""
        line = f"byte = v * multiplier + addend >> {self.exponent}"
        widths = f"sums of 3 bytes, multiplier of {self.multiplier_bytes}, addend of {self.addend_bytes}"
        widths += ", another below 0" if self.split else ""
        return "; ".join([line, widths, *common_text(self)])

    @property
    def exponent(self) -> int:
        """Byte = v * multiplier + addend >> exponent."""
        return 8 * self.multiplier_bytes + 8 - self.after

    @property
    def addend_unit(self) -> int:
        """What a one in the lowest of the addend's bytes is worth; its highest lies beside the multiplier's."""
        return 1 << 8 * (self.multiplier_bytes - self.addend_bytes) if self.addend_bytes else 0

    @property
    def addend_limit(self) -> int:
        """Addends are below this, so that no sum runs over."""
        if not self.addend_bytes:
            return 1
        highest = 0xC0 if self.multiplier_bytes == 4 else 0xFF
        return highest << 8 * (self.multiplier_bytes - 1)

    @property
    def around_zero(self) -> tuple[int, int]:
        """The last negative sum that can occur, and 0: beside each other they have different addends, if ``split``."""
        return -2 if self.doubled else -1, 0

    def sums(self, constants: NeuronConstants) -> Int64s:
        """Return v of each point."""
        return constants.neuron.points - constants.offset

    def beyond(self, constants: NeuronConstants) -> Int64s:
        """Return the bytes before the ceiling cuts them."""
        v = np.maximum(self.sums(constants), 0)
        addends: Int64s = np.where(self.split & (v < constants.zero), constants.below, constants.addend)
        value: Int64s = (v * constants.multiplier + addends) >> self.exponent
        return value

    def bytes_of(self, constants: NeuronConstants) -> Int64s:
        """Return the bytes for the neuron's points."""
        v = self.sums(constants)
        return corrected(self._line(v, constants), v, constants)

    def _line(self, v: Int64s, constants: NeuronConstants) -> Int64s:
        value = self.beyond(constants)
        wrong = (v < -(1 << 23)) | (v >= 1 << 22) | ((v < 0) & (not self.signed)) | (value >= 1 << 16)
        return np.where(wrong, WRONG, np.where(v < 0, 0, np.minimum(value, BYTE)))


@dataclass(frozen=True)
class ShortForm:
    """byte = v * multiplier >> exponent, for a v of 16 bits; 0 below, the highest code beyond.

    ``exact``: every product counts, multiplier byte by multiplier byte; else the product of the two low bytes is
    left out. ``before``: v is shifted right so often first; ``after``: what comes out is shifted left so often, and
    the byte is the highest then. ``addend``: the stream has a byte to start the sum with. ``corrections``: it says
    what to add to the byte from some sums on. ``doubled``: sums are twice the accumulators (FMULS).
    """

    accumulator_bytes: int
    multiplier_bytes: int
    exact: bool
    before: int
    after: int
    signed: bool
    doubled: bool = False
    addend: bool = False
    corrections: bool = False

    def text(self) -> str:
        """Return the form for a reader of the assembly."""
        parts = [
            f"byte = v * multiplier >> {self.exponent}",
            f"sums of {self.accumulator_bytes} bytes, multiplier of {self.multiplier_bytes}",
        ]
        parts += [] if self.exact else ["the product of the low bytes left out"]
        parts += [f"v >> {self.before} before"] if self.before else []
        parts += ["with an addend"] if self.addend else []
        return "; ".join([*parts, *common_text(self)])

    @property
    def addend_unit(self) -> int:
        """What a one in the addend's byte is worth."""
        return 256 if self.addend else 0

    @property
    def addend_limit(self) -> int:
        """Addends are below this, so that no sum runs over."""
        return 0xFF * self.addend_unit or 1

    @property
    def exponent(self) -> int:
        """Byte = (v >> before) * multiplier >> exponent."""
        return (8 * self.multiplier_bytes if self.exact else 16) + 8 - self.after

    @property
    def unit(self) -> int:
        """What a one in the multiplier's last byte is worth: with one byte it is the high one of two."""
        return 256 if self.multiplier_bytes == 1 else 1

    def bytes_of(self, constants: NeuronConstants) -> Int64s:
        """Return the bytes for the neuron's points."""
        sums = self.sums(constants)
        return corrected(self.line(sums, constants.multiplier, constants.addend), sums, constants)

    def line(self, sums: Int64s, multiplier: Int64s | int, addend: int = 0) -> Int64s:
        """Return the bytes before corrections; ``multiplier``: one for all ``sums`` [rows, points], or [rows, 1]."""
        v = self.reduced(sums)
        value = self._beyond(v, multiplier, addend)
        result = np.where(v < 0, 0, np.minimum(value, BYTE))
        result = np.where((value > self._last_carry) & (v >= 0), WRONG, result)
        result = np.where(v >= FAR, BYTE if self.accumulator_bytes == 3 and self.signed else WRONG, result)
        return np.where(v == UNKNOWN, WRONG, result)

    @property
    def _last_carry(self) -> int:
        """The largest value of which the instructions still notice that it is beyond a byte."""
        return 2 * BYTE + 1 if 0 < self.after <= LAST_CARRY else (1 << 16) - 1

    def reaches_far(self, constants: NeuronConstants) -> bool:
        """Whether a v has more than 16 bits, so that it must be taken for the highest code without looking on."""
        return bool(self.reduced(self.sums(constants)).max() >= FAR)

    def sums(self, constants: NeuronConstants) -> Int64s:
        """Return v of each point."""
        return constants.neuron.points - constants.offset

    def beyond(self, constants: NeuronConstants) -> Int64s:
        """Return the bytes before the ceiling cuts them; none for what is below zero or far away."""
        return self._beyond(self.reduced(self.sums(constants)), constants.multiplier, constants.addend)

    def reduced(self, v: Int64s) -> Int64s:
        """Return v as the multiplication gets it."""
        bits = 8 * self.accumulator_bytes
        low, high = (-(1 << bits - 1), 1 << bits - 1) if self.signed else (0, 1 << bits)
        return np.where((v >= low) & (v < high), v >> self.before, UNKNOWN)

    def _beyond(self, v: Int64s, multiplier: Int64s | int, addend: int) -> Int64s:
        left_out = 0 if self.exact else (v & 255) * (multiplier & 255)
        product: Int64s = v * multiplier + addend - left_out
        return np.where((v < 0) | (v >= FAR), WRONG, product >> self.exponent)


@dataclass(frozen=True)
class StepsForm:
    """byte = the number of steps that v has reached. Right for anything, and long."""

    accumulator_bytes: int
    doubled: bool = False
    signed: bool = False

    def text(self) -> str:
        """Return the form for a reader of the assembly."""
        line = f"byte = how many steps v has reached; sums of {self.accumulator_bytes} bytes"
        return "; ".join([line, *(["sums twice the accumulators"] if self.doubled else [])])

    def sums(self, constants: NeuronConstants) -> Int64s:
        """Return v of each point."""
        return constants.neuron.points - constants.offset

    def bytes_of(self, constants: NeuronConstants) -> Int64s:
        """Return the bytes for the neuron's points."""
        v = self.sums(constants)
        count = np.searchsorted(np.array(constants.steps), v, side="right")
        return np.where((v >= 0) & (v < 1 << 8 * self.accumulator_bytes), count, WRONG)


Form = ShortForm | LongForm | StepsForm


def with_edge(form: Form, constants: NeuronConstants) -> NeuronConstants:
    """Return the constants with the points of an interval that decide beside its steps.

    A form rises, but for some places; what is between two points of the same byte is decided by both of them only if
    no such place is there. One is where v becomes FAR, from where on it is the highest byte; the last v before it is
    added. Another is where accumulators become negative, if the form is split there: both sides are added.
    """
    neuron = constants.neuron
    edges: Sequence[int] = ()
    if isinstance(form, ShortForm):
        edges = (constants.offset + (FAR << form.before) - 1,)
    elif isinstance(form, LongForm) and form.split:
        edges = form.around_zero
    return constants if neuron.listed else replace(constants, neuron=with_points(neuron, edges))


def with_points(neuron: LoopNeuron, added: Sequence[int]) -> LoopNeuron:
    """Return an interval's neuron with more accumulators among its points, those of them that can occur."""
    inside = [at for at in added if neuron.points[0] < at < neuron.points[-1]]
    points = np.union1d(neuron.points, np.array(inside, np.int64))
    wanted = neuron.wanted[np.searchsorted(neuron.points, points, side="right") - 1]
    return replace(neuron, points=points, wanted=wanted)


def is_exact(form: Form, constants: NeuronConstants) -> bool:
    """Whether the form gives every wanted byte; what saturates may give more, for the ceiling to cut."""
    constants = with_edge(form, constants)
    return bool(
        np.array_equal(np.minimum(form.bytes_of(constants), _cut(constants)), constants.neuron.wanted)
    )


def _cut(constants: NeuronConstants) -> int:
    neuron = constants.neuron
    return neuron.top if neuron.saturates else BYTE


def doubled(neuron: LoopNeuron) -> LoopNeuron:
    """Return the neuron in sums that are twice as large, as FMULS makes them of the same weights."""
    return replace(neuron, points=2 * neuron.points, bias=2 * neuron.bias, slope=neuron.slope / 2)
