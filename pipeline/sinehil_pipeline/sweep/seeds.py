"""Parse ``--seeds`` (``0:200``, ``0:200:10``, ``1,5,137``), and the result of one seed with its outcome."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from sinehil.errors import UsageError
from sinehil_pipeline.config import GateRecipe
from sinehil_pipeline.recipes.checked_table import shown
from sinehil_pipeline.recipes.recipe_checks import MAX_SEED

MAX_SEEDS = 100_000
HELP = "for example `--seeds 0:200` (0 to 199), `--seeds 0:1000:10` or `--seeds 1,5,137`"

_PART = re.compile(r"([0-9]{1,10})(?::([0-9]{1,10})(?::([0-9]{1,10}))?)?")


def parse_seeds(text: str) -> tuple[int, ...]:
    """Return the seeds in ascending order, each once; ranges are half open, as in Python. Raises UsageError."""
    ranges = [_range(part.strip(), text) for part in text.split(",")]
    if sum(map(len, ranges)) > MAX_SEEDS:
        raise UsageError(f"--seeds {shown(text)} are more than {MAX_SEEDS} seeds", "ask for fewer")
    seeds = sorted({seed for part in ranges for seed in part})
    if not seeds or seeds[-1] > MAX_SEED:
        raise UsageError(f"--seeds {shown(text)}: allowed are seeds from 0 to {MAX_SEED}, at least one", HELP)
    return tuple(seeds)


def _range(part: str, text: str) -> range:
    match = _PART.fullmatch(part)
    if match is None or (match[3] and int(match[3]) == 0):
        raise UsageError(f"--seeds {shown(text)} is not A:B, A:B:STEP or a list of seeds", HELP)
    first = int(match[1])
    return range(first, int(match[2]) if match[2] else first + 1, int(match[3] or 1))


# Between a model that is stuck and one that ends badly lies a gap. Of seeds 0 to 199 of the book, whose gate is at
# 0.015, the lowest validation mse of any epoch is at most 0.0152 or at least 0.0498.
NEVER_LEARNT_FACTOR = 2.0


class SeedOutcome(StrEnum):
    """What became of one initialisation.

    learnt: passes the recipe's gate. above_gate: does not, but came near it in some epoch. never_learnt: in no epoch
    was the validation mse within NEVER_LEARNT_FACTOR times the gate. diverged: it stopped being a number.
    """

    LEARNT = "learnt"
    ABOVE_GATE = "above_gate"
    NEVER_LEARNT = "never_learnt"
    DIVERGED = "diverged"


@dataclass(frozen=True)
class SeedResult:
    """One initialisation, without a second try.

    ``val_mse`` is after the last epoch, ``best_val_mse`` the lowest after any. ``int8_max_abs_error`` is the largest
    |y - target(x)| over every x; None where samples come from a file. All are None for a training that diverged, the
    int8 ones where there is no int8 model that the interpreter can run.
    """

    seed: int
    val_mse: float | None = None
    best_val_mse: float | None = None
    test_mse: float | None = None
    int8_test_mse: float | None = None
    int8_max_abs_error: float | None = None

    def outcome(self, gate: GateRecipe) -> SeedOutcome:
        """Hold it against the recipe's gate."""
        if self.val_mse is None or self.best_val_mse is None:
            return SeedOutcome.DIVERGED
        if self.val_mse <= gate.max_val_mse:
            return SeedOutcome.LEARNT
        near = self.best_val_mse <= NEVER_LEARNT_FACTOR * gate.max_val_mse
        return SeedOutcome.ABOVE_GATE if near else SeedOutcome.NEVER_LEARNT

    def as_dict(self) -> Mapping[str, Any]:
        """Return it as JSON-able data."""
        return asdict(self)


MEASURES = tuple(name for name in SeedResult.__dataclass_fields__ if name != "seed")
