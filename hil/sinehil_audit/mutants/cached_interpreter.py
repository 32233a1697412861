"""An interpreter that is asked once for the same inputs, however many mutants are held against it."""

from sinehil.model.arrays import Codes, Float32s
from sinehil.model.interpreters import Oracle


class RememberedOracle:
    """Gives what ``oracle`` gave."""

    name = "remembered"

    def __init__(self, oracle: Oracle) -> None:
        self._oracle, self.version = oracle, oracle.version
        self._floats: dict[bytes, Float32s] = {}
        self._codes: dict[bytes, Codes] = {}

    def predict(self, x: Float32s) -> Float32s:
        """See Oracle."""
        key = x.tobytes()
        if key not in self._floats:
            self._floats[key] = self._oracle.predict(x)
        return self._floats[key]

    def predict_codes(self, x_q: Codes) -> Codes:
        """See Oracle."""
        key = x_q.tobytes()
        if key not in self._codes:
            self._codes[key] = self._oracle.predict_codes(x_q)
        return self._codes[key]
