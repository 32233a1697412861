"""Which neurons share a pass, where there are several: those that can use each other's products."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, combinations, pairwise, product

import numpy as np

from sinehil.model.arrays import Int64s
from sinehil_kernels.speed.products import PAST

Groups = list[list[int]]
SAME, COMPLEMENT, STEP, SUM = 3, 2, 1, 1  # cycles that a product spares another neuron's
MOST_NEURONS = 40
# Orders to start from, by whole numbers, so that they are the same anywhere.
STARTS, PRIME = (83, 151, 199, 227, 31, 59, 109, 173), 257


def grouped(weights: Sequence[Sequence[int]], often: Sequence[int], sizes: Sequence[int]) -> Groups:
    """Return the neurons in groups of these sizes.

    ``weights`` [neuron][source]; ``often`` [source]: on how many inputs it is not at rest.
    Swaps of two neurons, as long as one is for the better, from several starts.
    """
    ends = [0, *accumulate(sizes)]
    natural = [list(range(a, b)) for a, b in pairwise(ends)]
    if len(sizes) < 2 or len(weights) > MOST_NEURONS:
        return natural
    gains = Gains.of(np.abs(np.array(weights, np.int64)), np.array(often, np.int64))
    starts = [natural]
    for start in STARTS:
        order = sorted(range(len(weights)), key=lambda which: (which + 1) * start % PRIME)
        starts.append([order[a:b] for a, b in pairwise(ends)])
    best = max((_swapped(gains, start) for start in starts), key=gains.of_all)
    return [sorted(group) for group in best]


@dataclass(frozen=True)
class Gains:
    """Cycles that neurons in one pass spare each other: [n, n] by two, [n, n, n] where one is the sum of two."""

    pairs: Int64s
    triples: Int64s

    @classmethod
    def of(cls, factors: Int64s, often: Int64s) -> "Gains":
        """Estimate them for factors [n, source]."""
        a, b = factors[:, None], factors[None]
        counts = (a > 1) & (b > 1)
        step = (abs(a - b) == 1) | (a == 2 * b) | (b == 2 * a)
        pairs = (counts * (SAME * (a == b) + STEP * step + COMPLEMENT * (a + b == PAST))) @ often
        triples = SUM * ((a[:, :, None] + b[:, :, None] == factors) & counts[:, :, None]) @ often
        return cls(np.triu(pairs, 1), triples * np.triu(np.ones_like(pairs), 1)[:, :, None])

    def of_group(self, group: Sequence[int]) -> int:
        """Return what a group spares."""
        return int(self.pairs[np.ix_(group, group)].sum() + self.triples[np.ix_(group, group, group)].sum())

    def of_all(self, groups: Groups) -> int:
        """Return what all groups spare."""
        return sum(map(self.of_group, groups))


def _swapped(gains: Gains, groups: Groups) -> Groups:
    """Swap neurons of two groups, each time the best two, until nothing gains."""
    found = [list(group) for group in groups]
    while True:
        best, swap = 0, None
        for one, other in combinations(range(len(found)), 2):
            before = gains.of_group(found[one]) + gains.of_group(found[other])
            for i, j in product(range(len(found[one])), range(len(found[other]))):
                first, second = list(found[one]), list(found[other])
                first[i], second[j] = second[j], first[i]
                gain = gains.of_group(first) + gains.of_group(second) - before
                if gain > best:
                    best, swap = gain, (one, first, other, second)
        if swap is None:
            return found
        found[swap[0]], found[swap[2]] = swap[1], swap[3]
