"""Numbers that follow from a seed alone, whatever NumPy's version: PCG64's raw stream is part of its promise."""

import math

import numpy as np

WORD = 64


class Dice:
    """A stream of numbers; the seed may have several parts."""

    def __init__(self, *seed: int) -> None:
        self._bits = np.random.PCG64(seed)

    def word(self) -> int:
        """Return 64 bits."""
        return int(self._bits.random_raw())

    def below(self, count: int) -> int:
        """Return a number from 0 to count - 1."""
        return self.word() * count >> WORD

    def between(self, low: int, high: int) -> int:
        """Return a number from low to high."""
        return low + self.below(high - low + 1)

    def happens(self, probability: float) -> bool:
        """Return whether something of this probability happens."""
        return self.word() < probability * 2.0**WORD

    def gap(self, probability: float) -> int:
        """Return how many times something of this probability does not happen before it does."""
        return int(math.log((self.word() + 1) / 2.0**WORD) / math.log1p(-probability))

    def data(self, count: int) -> bytes:
        """Return ``count`` random bytes."""
        return np.asarray(self._bits.random_raw(count // 8 + 1), dtype="<u8").tobytes()[:count]
