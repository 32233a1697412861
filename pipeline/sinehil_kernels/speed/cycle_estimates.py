"""Estimated cycles and bytes of regions of the input, and a lower bound of cycles.

Regions: within one fewer neurons are active, so that fewer products are computed in vain, and constants have fewer
points to be right on; but each region takes flash. Estimates are enough to choose: what is chosen is then generated,
proven and counted.

Lower bound: cycles that no kernel of this kind can go below, counted for the model at hand, not measured. Of this
kind is a kernel that knows in which region of the codes u lies, and computes each neuron that is not constant there
by MULs from the bytes of the layer before it; which neurons are inactive it learns from their sums, except in the
first layer, where u tells. On one input such a kernel has at least to

- fetch x and store y: 6 cycles for one of each, 4 more for every further one of either (a load or a store of 2 cycles,
  and 2 for what stands between it and its use); clear r1 behind the last MUL: 1;
- find the region, if there are several: a comparison and a branch: 2;
- find the byte of each first-layer neuron of a one-input model that is active: a constant, a MUL, a move: 4;
- set each sum to its bias: 2; test whether it is inactive, if it can be: 2; and bring it to a byte by the shortest
  line, if it is active: 8;
- for each byte that is not 0 and each neuron: add the product to two bytes: 2; and make the product: 3, or 2 if one
  step leads to it from another, once for all neurons with the same factor.

More comparisons, jumps, saved registers, third bytes and longer lines are not counted: a kernel might do without
them. Nor is it counted that a product can be spared where the factor is the sum of two others. A neuron is inactive
where it has the lowest code of the region. More regions would be faster still, and larger, down to the table of all
answers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from sinehil.model.arrays import Bools, Int64s
from sinehil_kernels.folding import computed_neurons
from sinehil_kernels.speed.folded_network import restricted
from sinehil_kernels.speed.products import product_cycles
from sinehil_kernels.value_ranges import LayerRanges

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
class RegionEstimate:
    """Mean cycles and bytes of a region."""

    cycles: float
    bytes_: float


@dataclass(frozen=True)
class RegionEstimates:
    """What every region between two ``edges`` takes, about."""

    edges: tuple[int, ...]
    of: Mapping[Region, RegionEstimate]

    @classmethod
    def made(cls, layers: Sequence[LayerRanges]) -> "RegionEstimates":
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

    def refinements(self, division: Division, spare_bytes: int) -> list[Division]:
        """Return the best divisions with one edge more that may fit into ``spare_bytes`` more, the fastest first."""
        found = [_split(division, edge) for edge in self.edges]
        faster = [
            finer
            for finer in dict.fromkeys(found)
            if self.cycles(finer) < self.cycles(division) - LEAST_GAIN
            and self._bytes(finer) - self._bytes(division) <= UNSURE * spare_bytes
        ]
        return sorted(faster, key=self.cycles)[:MOST_TRIALS]

    def _bytes(self, division: Division) -> float:
        return sum(self.of[region].bytes_ for region in division)


def _split(division: Division, edge: int) -> Division:
    edges = sorted({edge, 0, *(end for _, end in division)})
    return tuple(pairwise(edges))


def _edges(layers: Sequence[LayerRanges]) -> list[int]:
    """Return the codes at which some neuron becomes inactive or active, the busiest ones if there are many."""
    changes = np.zeros(257, np.int64)
    for layer in layers:
        assert layer.trace is not None
        resting = layer.trace.codes == layer.trace.codes.min(axis=0)
        changes[1:256] += (resting[1:] != resting[:-1]).sum(axis=1)
    changes[[0, 256]] = changes.sum() + 1
    busiest = np.argsort(-changes, kind="stable")[:MOST_EDGES]
    return sorted(int(code) for code in busiest if changes[code])


def _estimate(layers: Sequence[LayerRanges]) -> RegionEstimate:
    """Add up what the parts of a region take."""
    total = np.array(FRAME, np.float64)
    before = np.zeros(2)  # neurons of the layer before: active on average, and in all
    for number, (layer, computed) in enumerate(
        zip(layers, computed_neurons(layers, keep_outputs=False), strict=True)
    ):
        counts = np.array([_mean_active(layer, computed), len(computed)])
        if number == 0 and len(layers) > 1:
            total += np.array(LINE) * counts
        else:
            total += (
                np.array(PRODUCT) * before * len(computed)
                + np.array(SUM) * len(computed)
                + np.array(BYTE_OUT) * counts
            )
            saved = min(max(2 * len(computed) - FREE_REGISTERS, 0), SAVED_REGISTERS)
            total += np.array(SAVED) * saved
            total += np.array(PASS) * before * max(0, -(-len(computed) // ACCUMULATORS) - 1)
        before = counts
    return RegionEstimate(float(total[0]), 2 * float(total[1]))


def _mean_active(layer: LayerRanges, computed: Sequence[int]) -> float:
    if layer.trace is None:
        return float(len(computed))
    codes: Int64s = layer.trace.codes[:, list(computed)]
    return float((codes > codes.min(axis=0)).sum() / len(codes)) if len(computed) else 0.0


def _best(estimates: RegionEstimates, price: float) -> Division:
    """Return the division with the least mean cycles + price * bytes, by dynamic programming over the edges."""
    edges = estimates.edges
    least: dict[int, tuple[float, tuple[int, ...]]] = {edges[0]: (0.0, (edges[0],))}
    for end in edges[1:]:
        least[end] = min(
            (cost + _price(estimates, (first, end), price), (*path, end))
            for first, (cost, path) in least.items()
        )
    return tuple(pairwise(least[edges[-1]][1]))


def _price(estimates: RegionEstimates, region: Region, price: float) -> float:
    found = estimates.of[region]
    return (region[1] - region[0]) / CODES * found.cycles + price * found.bytes_


FIND_REGION = 2
FIXED, FURTHER, FIRST_BYTE, BIAS, TEST, LEAST_LINE, TWO_BYTE_SUM = 7, 4, 4, 2, 2, 8, 2


def bound_cycles(layers: Sequence[LayerRanges], codes: Sequence[Int64s]) -> float:
    """Return the mean over inputs of one region; ``codes``: what each layer gives on them, [n, out] each."""
    inputs, outputs = layers[0].layer.weights.shape[1], layers[-1].layer.weights.shape[0]
    rows = len(codes[0])
    total = float(rows * (FIXED + FURTHER * (inputs + outputs - 2)))
    active: Bools = np.ones((rows, inputs), np.bool_)
    for number, (layer, computed, found) in enumerate(
        zip(layers, computed_neurons(layers, keep_outputs=False), codes, strict=True)
    ):
        sources, active = active, _active(layer, computed, found)
        if number == 0 and layer.trace is not None and layer.input_table is None and len(layers) > 1:
            total += FIRST_BYTE * int(active.sum())
            continue
        can_be_inactive = sum(
            int((layer.neurons[j].codes == layer.outputs[j, 0]).sum()) > 1 for j in computed
        )
        can_be_inactive *= layer.table is None
        total += rows * (BIAS * len(computed) + TEST * can_be_inactive) + LEAST_LINE * int(active.sum())
        total += sum(_products(layer, computed, row) for row in sources)
    return total / rows


def _active(layer: LayerRanges, computed: Sequence[int], codes: Int64s) -> Bools:
    """Return which neurons are computed and active, [n, out]."""
    is_computed = np.zeros(codes.shape[1], np.bool_)
    is_computed[list(computed)] = True
    found: Bools = is_computed & (codes > layer.outputs[:, 0])
    return found


def _products(layer: LayerRanges, computed: Sequence[int], sources: Bools) -> int:
    factors = np.abs(layer.layer.weights[list(computed)][:, sources].astype(np.int64))
    shared = sum(product_cycles(frozenset(column.tolist())) for column in factors.T)
    return int(TWO_BYTE_SUM * np.count_nonzero(factors) + shared)
