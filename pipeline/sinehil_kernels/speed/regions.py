"""Regions of u: a one-input model's codes are divided where that pays, and each region gets code of its own.

Within a region fewer neurons are active, so that fewer products are computed in vain, and constants have fewer points
to be right on; but each region takes flash. Estimates are enough to choose: what is chosen is then generated, proven
and counted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from sinehil.model.arrays import Int64s
from sinehil_kernels.folding import computed_neurons
from sinehil_kernels.speed.folded_network import restricted
from sinehil_kernels.value_ranges import LayerReach

Region = tuple[int, int]
Division = tuple[Region, ...]
CODES = 256
PRICES = tuple(0.01 * 1.12**step for step in range(32))  # cycles (mean) that a byte of flash must save
MOST_EDGES = 64
LEAST_GAIN, MOST_TRIALS = 0.5, 4  # cycles; divisions that are tried to find a finer one
UNSURE = 1.15  # how much too large an estimate may be
# What the parts take on average: cycles, words.
FRAME, LINE, PRODUCT, SUM, BYTE_OUT, SAVED, PASS = (
    (28, 22),
    (9, 9),
    (4.6, 4.2),
    (2.5, 2.5),
    (16, 15),
    (4, 2),
    (9, 9),
)
ACCUMULATORS, FREE_REGISTERS, SAVED_REGISTERS = 12, 8, 18


@dataclass(frozen=True)
class Estimate:
    """Mean cycles and bytes of a region."""

    cycles: float
    bytes_: float


@dataclass(frozen=True)
class Estimates:
    """What every region between two ``edges`` takes, about."""

    edges: tuple[int, ...]
    of: Mapping[Region, Estimate]

    @classmethod
    def made(cls, layers: Sequence[LayerReach]) -> "Estimates":
        """Return them for a one-input model."""
        edges = _edges(layers)
        pairs = [(first, end) for first in edges for end in edges if first < end]
        return cls(
            tuple(edges), {pair: _estimate(restricted(layers, *pair, neurons=False)) for pair in pairs}
        )

    def cycles(self, division: Division) -> float:
        """Return the mean of a division."""
        return sum((end - first) / CODES * self.of[first, end].cycles for first, end in division)

    def divisions(self, most_bytes: int) -> list[Division]:
        """Return divisions of the codes that may fit ``most_bytes``, the fastest first; last that into one region."""
        found = dict.fromkeys(_best(self, price) for price in PRICES)
        likely = [division for division in found if self._bytes(division) <= UNSURE * most_bytes]
        return [*likely, *(division for division in (((0, CODES),),) if division not in likely)]

    def refinements(self, division: Division, room_bytes: int) -> list[Division]:
        """Return the best divisions with one edge more that may fit into ``room_bytes`` more, the fastest first."""
        found = [_split(division, edge) for edge in self.edges]
        faster = [
            finer
            for finer in dict.fromkeys(found)
            if self.cycles(finer) < self.cycles(division) - LEAST_GAIN
            and self._bytes(finer) - self._bytes(division) <= UNSURE * room_bytes
        ]
        return sorted(faster, key=self.cycles)[:MOST_TRIALS]

    def _bytes(self, division: Division) -> float:
        return sum(self.of[region].bytes_ for region in division)


def _split(division: Division, edge: int) -> Division:
    edges = sorted({edge, 0, *(end for _, end in division)})
    return tuple(pairwise(edges))


def _edges(layers: Sequence[LayerReach]) -> list[int]:
    """Return the codes at which some neuron comes to rest or to life, the busiest ones if there are many."""
    changes = np.zeros(257, np.int64)
    for layer in layers:
        assert layer.trace is not None
        resting = layer.trace.codes == layer.trace.codes.min(axis=0)
        changes[1:256] += (resting[1:] != resting[:-1]).sum(axis=1)
    changes[[0, 256]] = changes.sum() + 1
    busiest = np.argsort(-changes, kind="stable")[:MOST_EDGES]
    return sorted(int(code) for code in busiest if changes[code])


def _estimate(layers: Sequence[LayerReach]) -> Estimate:
    """Add up what the parts of a region take."""
    total = np.array(FRAME, np.float64)
    before = np.zeros(2)  # neurons of the layer before: active on average, and in all
    for number, (layer, alive) in enumerate(
        zip(layers, computed_neurons(layers, keep_outputs=False), strict=True)
    ):
        counts = np.array([_mean_active(layer, alive), len(alive)])
        if number == 0 and len(layers) > 1:
            total += np.array(LINE) * counts
        else:
            total += (
                np.array(PRODUCT) * before * len(alive)
                + np.array(SUM) * len(alive)
                + np.array(BYTE_OUT) * counts
            )
            saved = min(max(2 * len(alive) - FREE_REGISTERS, 0), SAVED_REGISTERS)
            total += np.array(SAVED) * saved
            total += np.array(PASS) * before * max(0, -(-len(alive) // ACCUMULATORS) - 1)
        before = counts
    return Estimate(float(total[0]), 2 * float(total[1]))


def _mean_active(layer: LayerReach, alive: Sequence[int]) -> float:
    if layer.trace is None:
        return float(len(alive))
    codes: Int64s = layer.trace.codes[:, list(alive)]
    return float((codes > codes.min(axis=0)).sum() / len(codes)) if len(alive) else 0.0


def _best(estimates: Estimates, price: float) -> Division:
    """Return the division with the least mean cycles + price * bytes, by dynamic programming over the edges."""
    edges = estimates.edges
    least: dict[int, tuple[float, tuple[int, ...]]] = {edges[0]: (0.0, (edges[0],))}
    for end in edges[1:]:
        least[end] = min(
            (cost + _price(estimates, (first, end), price), (*path, end))
            for first, (cost, path) in least.items()
        )
    return tuple(pairwise(least[edges[-1]][1]))


def _price(estimates: Estimates, region: Region, price: float) -> float:
    found = estimates.of[region]
    return (region[1] - region[0]) / CODES * found.cycles + price * found.bytes_
