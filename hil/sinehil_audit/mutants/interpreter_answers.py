"""Ask the real interpreter for every code and around every step of the float quantiser.

It shares no code and no inputs with ``verify``, which is on trial here.
"""

from dataclasses import dataclass

import numpy as np

from sinehil.model.arrays import Codes, Float32s, Float64s
from sinehil.model.interpreters import Oracle
from sinehil.model.targets import Aim
from sinehil.model.tflite import QuantizedModel

BESIDE = 8  # floats on each side of where a step should be; the rules round no further away
SPECIAL = (0.0, -0.0, np.inf, -np.inf, np.nan, 3.4e38, -3.4e38, 1e-45, 1e9, -1e9)
POINTS = (0.0, 1.0, 3.0, 5.0)  # those of TFLM's hello_world test
EVERY_CODE = np.arange(-128, 128).astype(np.int8)


@dataclass(frozen=True)
class PeerCheck:
    """A check as others have it: ``y`` within ``tolerance`` of ``reference`` at a few ``x``.

    ``against`` names the reference: the target, or the interpreter where the sound model fails against its target.
    """

    x: Float32s
    tolerance: float
    reference: Float64s
    against: str

    def notices(self, y: Float32s) -> bool:
        """Return whether some y is too far away."""
        return not bool(np.all(np.abs(y.astype(np.float64) - self.reference) <= self.tolerance))


class InterpreterAnswers:
    """What a sound kernel gives."""

    def __init__(self, model: QuantizedModel, oracle: Oracle, aim: Aim) -> None:
        self.x = around_every_step(model)
        self._codes = oracle.predict_codes(EVERY_CODE).tobytes()
        self._floats = oracle.predict(self.x).tobytes()
        low, high = (0.0, 2 * np.pi) if aim.target is None else (aim.target.low, aim.target.high)
        zero, scale = model.input.zero_point, np.float64(model.input.scale)
        every = ((EVERY_CODE.astype(np.float64) - zero) * scale).astype(np.float32)
        checks = ((every, 0.05), (np.linspace(low, high, 20), 0.15), (np.array(POINTS), 0.05))
        self.codes, self.twenty, self.four = (
            _check(x.astype(np.float32), tolerance, oracle, aim) for x, tolerance in checks
        )

    def visible(self, codes: Codes, floats: Float32s) -> bool:
        """Return whether anything differs: ``codes`` for all 256 input codes, ``floats`` for ``x``."""
        return codes.tobytes() != self._codes or floats.tobytes() != self._floats


def around_every_step(model: QuantizedModel) -> Float32s:
    """Return float32 numbers: the nearest to each half-way point between two codes, its neighbours, special ones."""
    between = np.arange(-128, 127) + 0.5 - model.input.zero_point
    middle = (between * np.float64(model.input.scale)).astype(np.float32)
    columns = [middle]
    for direction in (np.float32(-np.inf), np.float32(np.inf)):
        beside = middle
        for _ in range(BESIDE):
            beside = np.nextafter(beside, direction)
            columns.append(beside)
    return np.concatenate([*columns, np.array(SPECIAL, np.float32)])


def _check(x: Float32s, tolerance: float, oracle: Oracle, aim: Aim) -> PeerCheck:
    sound = oracle.predict(x)
    if aim.target is not None:
        inside = aim.target.covers(x)
        wanted = PeerCheck(
            x[inside], tolerance, aim.target.function(x[inside].astype(np.float64)), aim.target.plain
        )
        if not wanted.notices(sound[inside]):
            return wanted
    return PeerCheck(x, tolerance, sound.astype(np.float64), "the interpreter")
