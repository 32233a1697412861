"""A line with sums of three bytes."""

from dataclasses import dataclass

import numpy as np

from sinehil.model.arrays import Int64s
from sinehil_kernels.size.constants import BYTE, WRONG, Constants, common_words, corrected


@dataclass(frozen=True)
class Long:
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

    def words(self) -> str:
        """Return the form for a reader of the assembly."""
        line = f"byte = v * multiplier + addend >> {self.exponent}"
        widths = f"sums of 3 bytes, multiplier of {self.multiplier_bytes}, addend of {self.addend_bytes}"
        widths += ", another below 0" if self.split else ""
        return "; ".join([line, widths, *common_words(self)])

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

    def sums(self, constants: Constants) -> Int64s:
        """Return v of each point."""
        return constants.neuron.points - constants.offset

    def beyond(self, constants: Constants) -> Int64s:
        """Return the bytes before the ceiling cuts them."""
        v = np.maximum(self.sums(constants), 0)
        addends: Int64s = np.where(self.split & (v < constants.zero), constants.below, constants.addend)
        value: Int64s = (v * constants.multiplier + addends) >> self.exponent
        return value

    def bytes_of(self, constants: Constants) -> Int64s:
        """Return the bytes for the neuron's points."""
        v = self.sums(constants)
        return corrected(self._line(v, constants), v, constants)

    def _line(self, v: Int64s, constants: Constants) -> Int64s:
        value = self.beyond(constants)
        wrong = (v < -(1 << 23)) | (v >= 1 << 22) | ((v < 0) & (not self.signed)) | (value >= 1 << 16)
        return np.where(wrong, WRONG, np.where(v < 0, 0, np.minimum(value, BYTE)))
