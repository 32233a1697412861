"""A point in time that several waits share, so that retries cannot add up past it."""

import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Deadline:
    """``Deadline.after(2.0)`` is two seconds from now on the monotonic clock."""

    at_s: float

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        """Return the deadline ``seconds`` from now."""
        return cls(time.monotonic() + seconds)

    @property
    def remaining_s(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self.at_s - time.monotonic())

    @property
    def expired(self) -> bool:
        """Whether no time is left."""
        return self.remaining_s == 0.0
