"""A deadline that several waits share, so that retries cannot add up past it."""

import time
from collections.abc import Callable
from dataclasses import dataclass

Clock = Callable[[], float]  # seconds since some fixed moment


@dataclass(frozen=True)
class Deadline:
    """``Deadline.after(2.0)`` is two seconds from now, on the monotonic clock unless another is given."""

    at_s: float
    clock: Clock = time.monotonic

    @classmethod
    def after(cls, seconds: float, clock: Clock = time.monotonic) -> "Deadline":
        """Return the deadline ``seconds`` from now."""
        return cls(clock() + seconds, clock)

    @property
    def remaining_s(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self.at_s - self.clock())

    @property
    def expired(self) -> bool:
        """Whether no time is left."""
        return self.remaining_s == 0.0
