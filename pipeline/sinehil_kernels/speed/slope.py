"""Which slope suits an interval best, and which accumulators no line can serve.

A line gives wanted <= slope * accumulator + c < wanted + 1 at every point. For one slope that leaves a range of c; its
width is a concave function of the slope. The oracle's own factor is not always the best: float32 products near a tie
are rounded to it, from both sides. Where no slope serves all points, the few that stand in the way are told apart.
"""

from dataclasses import replace

import numpy as np

from sinehil.model.arrays import Int64s
from sinehil_kernels.speed.folded_network import Neuron

SPREAD, HALVINGS = 2e-4, 60  # relative: how far slopes are looked at
MOST_EXCEPTIONS = 3
Exceptions = tuple[tuple[int, int], ...]  # accumulator, byte


def serve_interval(neuron: Neuron) -> tuple[Neuron, Exceptions] | None:
    """Return the neuron with its best slope, without the accumulators that have to be told apart; None if too many."""
    exceptions: Exceptions = ()
    while True:
        slope = _best_slope(neuron)
        if _width(neuron, slope) > 0:
            return replace(neuron, slope=slope), exceptions
        if len(exceptions) == MOST_EXCEPTIONS:
            return None
        without = [_without(neuron, index) for index in _binding(neuron, slope)]
        found = [pair for pair in without if pair is not None]
        if not found:
            return None
        neuron, exception = max(found, key=lambda pair: _width(pair[0], _best_slope(pair[0])))
        exceptions = (*exceptions, exception)


def _best_slope(neuron: Neuron) -> float:
    low, high = neuron.slope * (1 - SPREAD), neuron.slope * (1 + SPREAD)
    for _ in range(HALVINGS):
        third = (high - low) / 3
        if _width(neuron, low + third) < _width(neuron, high - third):
            low += third
        else:
            high -= third
    return (low + high) / 2


def _width(neuron: Neuron, slope: float) -> float:
    least, most = _sides(neuron, slope)
    return float(most.min() - least.max())


def _sides(neuron: Neuron, slope: float) -> tuple[Int64s, Int64s]:
    """Return the bounds of c that each point sets; infinite where the clamps set none."""
    rest = neuron.wanted - slope * neuron.accumulators
    below_top = neuron.wanted < neuron.top
    return np.where(neuron.wanted > 0, rest, -np.inf), np.where(below_top, rest + 1, np.inf)


def _binding(neuron: Neuron, slope: float) -> tuple[int, int]:
    least, most = _sides(neuron, slope)
    return int(least.argmax()), int(most.argmin())


def _without(neuron: Neuron, index: int) -> tuple[Neuron, tuple[int, int]] | None:
    """Take a point out; its neighbour of the same byte takes its place. None if it is an end of the interval."""
    at, wanted = neuron.accumulators, neuron.wanted
    if index in (0, len(at) - 1):
        return None
    exception = (int(at[index]), int(wanted[index]))
    first_of_byte = wanted[index] != wanted[index - 1]
    neighbour = at[index] + (1 if first_of_byte else -1)
    same = wanted[index + 1 if first_of_byte else index - 1] == wanted[index]
    if not same or neighbour in at:
        return replace(neuron, accumulators=np.delete(at, index), wanted=np.delete(wanted, index)), exception
    moved = at.copy()
    moved[index] = neighbour
    return replace(neuron, accumulators=moved), exception
