"""Statistics over the results of many seeds. Pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from sinehil_pipeline.config import GateRecipe
from sinehil_pipeline.sweep.seeds import SeedOutcome, SeedResult

CONFIDENCE = 0.95
REACHED = (SeedOutcome.LEARNT, SeedOutcome.ABOVE_GATE)


@dataclass(frozen=True)
class Share:
    """``count`` of ``of``; ``low`` and ``high`` bound the share behind it with 95 % confidence."""

    count: int
    of: int
    low: float
    high: float


@dataclass(frozen=True)
class Quartiles:
    """A quarter, half and three quarters of the seeds are at most there; None beyond the largest number."""

    lower: float | None
    median: float | None
    upper: float | None


@dataclass(frozen=True)
class Standing:
    """Where one seed is by test mse: ``rank`` 1 is the best; ``better_than`` is a share of all other seeds."""

    result: SeedResult
    outcome: SeedOutcome
    rank: int
    better_than: float


@dataclass(frozen=True)
class Statistics:
    """Of all seeds, and of those that came near the gate in some epoch (``reached``)."""

    outcomes: Mapping[SeedOutcome, Share]
    never: Share
    refused: Share
    test_mse: Quartiles
    test_mse_reached: Quartiles
    int8_test_mse: Quartiles
    int8_test_mse_reached: Quartiles
    int8_max_abs_error: Quartiles
    int8_max_abs_error_reached: Quartiles
    own: Standing | None


def statistics_of(results: Sequence[SeedResult], gate: GateRecipe, own_seed: int) -> Statistics:
    """Sum up at least one result; ``own_seed`` is the recipe's, which may be among them."""
    outcomes = [result.outcome(gate) for result in results]
    reached = [result for result in results if result.outcome(gate) in REACHED]

    def share(*wanted: SeedOutcome) -> Share:
        return wilson(sum(outcome in wanted for outcome in outcomes), len(outcomes))

    return Statistics(
        outcomes={outcome: share(outcome) for outcome in SeedOutcome},
        never=share(SeedOutcome.NEVER_LEARNT, SeedOutcome.DIVERGED),
        refused=share(*(outcome for outcome in SeedOutcome if outcome is not SeedOutcome.LEARNT)),
        test_mse=quartiles([result.test_mse for result in results]),
        test_mse_reached=quartiles([result.test_mse for result in reached]),
        int8_test_mse=quartiles([result.int8_test_mse for result in results]),
        int8_test_mse_reached=quartiles([result.int8_test_mse for result in reached]),
        int8_max_abs_error=quartiles([result.int8_max_abs_error for result in results]),
        int8_max_abs_error_reached=quartiles([result.int8_max_abs_error for result in reached]),
        own=next((_standing(item, results, gate) for item in results if item.seed == own_seed), None),
    )


def wilson(count: int, of: int) -> Share:
    """Return Wilson's score interval (1927), which holds at the ends of the scale too."""
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    share, spread = count / of, z * z / of
    centre = (share + spread / 2) / (1 + spread)
    half = z * math.sqrt(share * (1 - share) / of + spread / of / 4) / (1 + spread)
    return Share(count, of, max(0.0, centre - half), min(1.0, centre + half))


def quartiles(values: Sequence[float | None]) -> Quartiles:
    """Return values that occur, None standing above all numbers: a training that came to nothing counts as one."""
    if not values:
        return Quartiles(None, None, None)
    numbers = [math.inf if value is None else value for value in values]
    found = np.quantile(numbers, (0.25, 0.5, 0.75), method="inverted_cdf").tolist()
    return Quartiles(*(value if math.isfinite(value) else None for value in found))


def _standing(own: SeedResult, results: Sequence[SeedResult], gate: GateRecipe) -> Standing:
    def error(result: SeedResult) -> float:
        return math.inf if result.test_mse is None else result.test_mse

    better = sum(error(other) < error(own) for other in results)
    worse = sum(error(other) > error(own) for other in results)
    return Standing(own, own.outcome(gate), better + 1, worse / max(1, len(results) - 1))
