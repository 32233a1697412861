"""What one neuron's form computes with, and the numbers that all forms share."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from sinehil.model.arrays import Int64s
from sinehil_kernels.size.loop_network import Neuron

WRONG = -1
FIRST = 8  # shifts to the left after which the first byte is the result as it is
FAR, UNKNOWN = 1 << 16, 1 << 24
BYTE = 255
LAST_CARRY = 4  # up to so many shifts to the left, what is beyond a byte is the last one's carry


@dataclass(frozen=True)
class Constants:
    """What one neuron's form computes with.

    ``below``: the addend of negative accumulators, where the form has one for them.
    ``corrections``: (v, what is added to the byte from there on), ascending.
    """

    neuron: Neuron
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


class Line(Protocol):
    """A form that multiplies."""

    @property
    def corrections(self) -> bool:
        """Whether the stream says what to add from some sums on."""

    @property
    def doubled(self) -> bool:
        """Whether sums are twice the accumulators."""


def common_words(form: Line) -> list[str]:
    """Return what the reader of the assembly is told of every form that multiplies."""
    parts = ["with corrections"] if form.corrections else []
    return [*parts, *(["sums twice the accumulators"] if form.doubled else [])]


def corrected(bytes_: Int64s, v: Int64s, constants: Constants) -> Int64s:
    """Return the bytes after the corrections; what is below zero stays as it is."""
    if not constants.corrections:
        return bytes_
    places, added = np.array(constants.corrections).T
    sums = np.concatenate([[0], np.cumsum(added)])[np.searchsorted(places, v, side="right")]
    return np.where((v < 0) | (bytes_ == WRONG), bytes_, (bytes_ + sums) & BYTE)
