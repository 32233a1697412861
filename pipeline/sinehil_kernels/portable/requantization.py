"""Find integer forms of requantisation, each proven over every accumulator that can occur.

Between a neuron's accumulator and its output code the oracle multiplies by a real number and rounds. For a device
the same step function is found in integers and held against the oracle's on the whole domain of the neuron; one
that differs anywhere is not used.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sinehil.model.arrays import Int64s
from sinehil_kernels.value_ranges import AccumulatorDomain

NEIGHBOURS = 32  # multipliers tried on each side of the one with the most room


@dataclass(frozen=True)
class Scheme:
    """How a line is computed: ``(((t << up) * multiplier >> drop) + offset) >> shift``.

    Multiplier and offset have ``bits`` bits; so has ``t << up`` if they are 16.
    """

    bits: int
    up: int
    drop: int
    shift: int

    @property
    def precision(self) -> int:
        """The bits behind the point of ``(t << up) * multiplier``."""
        return self.drop + self.shift


SHORT = tuple(Scheme(16, up, 16, shift) for shift in (8, 7, 6) for up in (0, 1, 2, 3, 4))
WORD = Scheme(32, 0, 0, 24)
LONG = tuple(Scheme(32, 0, drop, 24) for drop in (16, 8, 12))  # the product has 64 bits


@dataclass(frozen=True)
class Line:
    """u = line of t, t = accumulator - base; below base u is 0, beyond base + limit the layer's highest.

    ``limit`` is None where the line itself is right up to the end of the domain. A neuron that knows no code between
    the clamps has a flat line.
    """

    base: int
    limit: int | None
    multiplier: int
    offset: int

    def __call__(self, accumulators: Int64s, scheme: Scheme, highest: int) -> Int64s:
        """Return u of each accumulator, exactly as the C code computes it."""
        t = accumulators - self.base
        scaled = (t << scheme.up) * self.multiplier >> scheme.drop
        u = np.where(t < 0, 0, (scaled + self.offset) >> scheme.shift)
        return u if self.limit is None else np.where(t > self.limit, highest, u)


@dataclass(frozen=True)
class Steps:
    """The step function itself: u is ``values[i]`` from t = ``starts[i]`` on, t = accumulator - base.

    Exact for anything, but large.
    """

    base: int
    starts: tuple[int, ...]
    values: tuple[int, ...]

    def __call__(self, accumulators: Int64s) -> Int64s:
        """Return u of each accumulator, as the C code finds it."""
        index = np.searchsorted(np.array(self.starts), accumulators - self.base, side="right") - 1
        return np.array(self.values)[index]


def find_line(
    domain: AccumulatorDomain, lowest: int, highest: int, scheme: Scheme, *, limited: bool
) -> Line | None:
    """Return a line by ``scheme`` that is right on the whole domain, or None if there is none.

    ``lowest`` and ``highest`` are the codes that the activation allows; u = code - lowest. A ``limited`` line leaves
    the highest code to a comparison. Right at the points of the domain is right everywhere: with ``t`` and the
    multiplier not negative and no wrap at the last point, u never falls as t grows, as the oracle's code never does;
    and of each step the domain has both sides.
    """
    active = domain.codes > lowest
    if limited:
        active &= domain.codes < highest
    if not active.any():
        return _clamps_only(domain, lowest, highest, scheme, limited=limited)
    points = domain.accumulators[active]
    base, limit = int(points[0]), int(points[-1] - points[0])
    if scheme.bits == 16 and limit << scheme.up >= 2**16:
        return None
    found = _fit((points - base) << scheme.up, domain.codes[active] - lowest, scheme)
    if found is None:
        return None
    line = Line(base, limit if limited else None, *found)
    return line if is_exact(line, domain, lowest, highest, scheme) else None


def is_exact(line: Line, domain: AccumulatorDomain, lowest: int, highest: int, scheme: Scheme) -> bool:
    """Return whether the line is right at every point of the domain."""
    return np.array_equal(line(domain.accumulators, scheme, highest - lowest), domain.codes - lowest)


def find_steps(domain: AccumulatorDomain, lowest: int) -> Steps:
    """Return the step function through all points; exact since the oracle's is monotone."""
    starts = np.flatnonzero(np.diff(domain.codes, prepend=domain.codes[0] - 1))
    base = domain.span[0]
    values = domain.codes[starts] - lowest
    return Steps(base, tuple((domain.accumulators[starts] - base).tolist()), tuple(values.tolist()))


def _clamps_only(
    domain: AccumulatorDomain, lowest: int, highest: int, scheme: Scheme, *, limited: bool
) -> Line:
    """Return the form of a neuron that is always at a clamp: dead, full, or jumping between the two."""
    above = domain.accumulators[domain.codes > lowest]
    base = int(above[0]) if above.size else domain.span[1] + 1
    return Line(base, 0 if limited else None, 0, highest - lowest << scheme.shift if above.size else 0)


def _fit(t: Int64s, u: Int64s, scheme: Scheme) -> tuple[int, int] | None:
    """Return multiplier and offset that put every t on its u, or None.

    The offsets that do so for one multiplier are an interval, whose length is a concave function of the multiplier:
    the longest is found by bisection.
    """
    floor, ceiling = u << scheme.precision, (u + 1) << scheme.precision

    def window(multiplier: int) -> tuple[int, int]:
        product = t * multiplier
        return int((floor - product).max()), int((ceiling - 1 - product).min())

    best = _widest(window, 2**scheme.bits - 1)
    for distance in range(NEIGHBOURS):
        for multiplier in {best - distance, best + distance}:
            if 0 <= multiplier < 2**scheme.bits:
                low, high = window(multiplier)
                offset = (low + high) // 2 >> scheme.drop
                for candidate in (offset, offset + 1):
                    if max(low, 0) <= candidate << scheme.drop <= high and candidate < 2**scheme.bits:
                        return multiplier, candidate
    return None


def _widest(window: Callable[[int], tuple[int, int]], most: int) -> int:
    """Return the multiplier from 0 to ``most`` whose window is widest; its width rises, then falls."""

    def width(multiplier: int) -> int:
        low, high = window(multiplier)
        return high - low

    low, high = 0, most
    while low < high:
        middle = (low + high) // 2
        if width(middle) < width(middle + 1):
            low = middle + 1
        else:
            high = middle
    return low
