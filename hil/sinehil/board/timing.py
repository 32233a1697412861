"""Learn from round trips when a reply is overdue: RFC 6298."""

SMOOTHING, VARIATION_SMOOTHING, VARIATIONS = 1 / 8, 1 / 4, 4
# A busy host stands still now and then for as long as this; a retry for nothing is harmless, but counted.
MIN_TIMEOUT_S = 0.2


class RoundTrip:
    """``longest_s`` is the wait before anything is known, and the longest ever."""

    def __init__(self, longest_s: float) -> None:
        self._longest_s = longest_s
        self._mean_s: float | None = None
        self._variation_s = 0.0

    def add(self, seconds: float) -> None:
        """Take note of a reply that came ``seconds`` after its request."""
        if self._mean_s is None:
            self._mean_s, self._variation_s = seconds, seconds / 2
        else:
            error = seconds - self._mean_s
            self._variation_s += VARIATION_SMOOTHING * (abs(error) - self._variation_s)
            self._mean_s += SMOOTHING * error

    @property
    def timeout_s(self) -> float:
        """Seconds after which a reply is overdue."""
        if self._mean_s is None:
            return self._longest_s
        return min(self._longest_s, max(MIN_TIMEOUT_S, self._mean_s + VARIATIONS * self._variation_s))
