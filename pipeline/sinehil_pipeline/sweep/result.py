"""What is known of one seed."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from sinehil_pipeline.config import GateRecipe

# Between a model that is stuck and one that ends badly lies a gap. Of seeds 0 to 199 of the book, whose gate is at
# 0.015, the lowest validation mse of any epoch is at most 0.0152 or at least 0.0498.
NEVER_LEARNT_FACTOR = 2.0


class Outcome(StrEnum):
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

    def outcome(self, gate: GateRecipe) -> Outcome:
        """Hold it against the recipe's gate."""
        if self.val_mse is None or self.best_val_mse is None:
            return Outcome.DIVERGED
        if self.val_mse <= gate.max_val_mse:
            return Outcome.LEARNT
        near = self.best_val_mse <= NEVER_LEARNT_FACTOR * gate.max_val_mse
        return Outcome.ABOVE_GATE if near else Outcome.NEVER_LEARNT

    def as_dict(self) -> Mapping[str, Any]:
        """Return it as JSON-able data."""
        return asdict(self)


MEASURES = tuple(name for name in SeedResult.__dataclass_fields__ if name != "seed")
