"""Whether two samples come from one distribution: the Kolmogorov-Smirnov distance under permutation."""

import numpy as np

from sinehil.model.arrays import Float64s

PERMUTATIONS = 5000


def ks_distance(a: Float64s, b: Float64s) -> float:
    """Return the largest difference of the two cumulative distributions."""
    places = np.concatenate([a, b])
    shares = [np.searchsorted(np.sort(values), places, side="right") / len(values) for values in (a, b)]
    return float(np.abs(shares[0] - shares[1]).max())


def p_value(a: Float64s, b: Float64s, permutations: int = PERMUTATIONS) -> float:
    """Return how often a random split of all values is as far apart as ``a`` and ``b``."""
    stream, both, found = np.random.RandomState(0), np.concatenate([a, b]), ks_distance(a, b)
    splits = (stream.permutation(both) for _ in range(permutations))
    as_far = sum(ks_distance(mixed[: len(a)], mixed[len(a) :]) >= found for mixed in splits)
    return (as_far + 1) / (permutations + 1)


def critical_distance(sizes: tuple[int, int], alpha: float, permutations: int = PERMUTATIONS) -> float:
    """Return the distance that equal distributions exceed with probability ``alpha``."""
    stream, total = np.random.RandomState(0), sum(sizes)
    splits = (stream.permutation(total).astype(np.float64) for _ in range(permutations))
    return float(
        np.quantile([ks_distance(mixed[: sizes[0]], mixed[sizes[0] :]) for mixed in splits], 1 - alpha)
    )


def power(
    sample: Float64s, other: Float64s, sizes: tuple[int, int], alpha: float, draws: int = 1000
) -> float:
    """Return how often draws of these sizes, one from each sample, are told apart at ``alpha``."""
    stream, limit = np.random.RandomState(1), critical_distance(sizes, alpha)
    pairs = ((stream.choice(sample, sizes[0]), stream.choice(other, sizes[1])) for _ in range(draws))
    return sum(ks_distance(*pair) > limit for pair in pairs) / draws
