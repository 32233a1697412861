"""Integer forms of requantisation, each proven over every accumulator that can occur.

Between a neuron's accumulator and its output code the oracle multiplies in float32 and rounds. For a device the
same step function is found in integers and held against the oracle's on the whole domain; one that differs
anywhere is not used.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Int64s = NDArray[np.int64]
SHIFT = 24  # the code is the top byte of a 32-bit word
MULTIPLIER_SEARCH = 64


@dataclass(frozen=True)
class Line:
    """code + 128 = (t * multiplier + offset) >> 24 with t = accumulator - base.

    Below base the code is the layer's lowest, above base + limit its highest. ``accumulators`` are the lowest and
    highest that occur.
    """

    base: int
    limit: int
    multiplier: int
    offset: int
    accumulators: tuple[int, int]

    def __call__(self, accumulators: Int64s, lowest: int, highest: int) -> Int64s:
        """Return the codes as the C code computes them, in 32-bit arithmetic."""
        t = accumulators - self.base
        word = (t * self.multiplier + self.offset) & 0xFFFFFFFF
        codes = (word >> SHIFT) - 128
        return np.where(t < 0, lowest, np.where(t > self.limit, highest, codes))


@dataclass(frozen=True)
class Steps:
    """The step function itself: ``codes[i]`` from accumulator ``starts[i]`` on. Exact for anything, but large."""

    starts: tuple[int, ...]
    codes: tuple[int, ...]
    accumulators: tuple[int, int]

    def __call__(self, accumulators: Int64s) -> Int64s:
        """Return the codes as the C code finds them."""
        index = np.searchsorted(np.array(self.starts), accumulators, side="right") - 1
        return np.array(self.codes)[np.maximum(index, 0)]


def find_line(accumulators: Int64s, codes: Int64s, slope: float, lowest: int, highest: int) -> Line | None:
    """Return a line that gives ``codes`` for all ``accumulators`` (both [n]), or None if there is none.

    ``slope`` is the true multiplier, around which the integer one is searched.
    """
    span = (int(accumulators.min()), int(accumulators.max()))
    active = (codes > lowest) & (codes < highest)
    if not active.any():
        return _two_valued(accumulators, codes, lowest, span)
    base, top = int(accumulators[active].min()), int(accumulators[active].max())
    t, k = accumulators[active] - base, codes[active] + 128
    centre = round(slope * 2**SHIFT)
    for distance in range(MULTIPLIER_SEARCH):
        for multiplier in {centre + distance, centre - distance}:
            offset = _offset(t, k, multiplier)
            if offset is not None:
                line = Line(base, top - base, multiplier, offset, span)
                if np.array_equal(line(accumulators, lowest, highest), codes):
                    return line
    return None


def find_steps(accumulators: Int64s, codes: Int64s) -> Steps:
    """Return the step function through all pairs; exact by construction."""
    order = np.argsort(accumulators, kind="stable")
    sorted_accumulators, sorted_codes = accumulators[order], codes[order]
    starts = np.flatnonzero(np.diff(sorted_codes, prepend=sorted_codes[0] - 1))
    span = (int(sorted_accumulators[0]), int(sorted_accumulators[-1]))
    return Steps(tuple(sorted_accumulators[starts].tolist()), tuple(sorted_codes[starts].tolist()), span)


def _offset(t: Int64s, k: Int64s, multiplier: int) -> int | None:
    """Return the middle of the offsets for which every t falls on its k, or None."""
    if multiplier < 0:
        return None
    low = int(((k << SHIFT) - t * multiplier).max())
    high = int((((k + 1) << SHIFT) - 1 - t * multiplier).min())
    low, high = max(low, -(2**31)), min(high, 2**32 - 1)
    return (low + high) // 2 & 0xFFFFFFFF if low <= high else None


def _two_valued(accumulators: Int64s, codes: Int64s, lowest: int, span: tuple[int, int]) -> Line:
    """Return the form of a neuron that only saturates: dead, always full, or jumping."""
    above = accumulators[codes > lowest]
    base = int(above.min()) if above.size else span[1] + 1
    return Line(base, -1, 0, 0, span)
