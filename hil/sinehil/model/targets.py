"""Target functions that a model can learn, and which of them a manifest's recipe names."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sinehil.model.arrays import Bools, Float32s, Float64s

Function = Callable[[Float64s], Float64s]


@dataclass(frozen=True)
class Target:
    """``function`` maps float64 x of any shape to y of that shape; it is of interest for low <= x <= high.

    ``label`` is the function as people write it.
    """

    name: str
    function: Function
    low: float
    high: float
    label: str

    @property
    def plain(self) -> str:
        """The label in ASCII, for terminals."""
        return self.label.replace("\u00b2", "^2").replace("\u2212", "-")

    @property
    def in_radians(self) -> bool:
        """Whether x is an angle: its range then ends at a multiple of pi."""
        return math.fmod(self.high, math.pi) == 0

    @property
    def range_text(self) -> str:
        """The range of x in ASCII: ``[0, 2 pi]``, ``[-4, 4]``."""
        return f"[{self._end(self.low)}, {self._end(self.high)}]"

    @property
    def range_label(self) -> str:
        """The range of x as people write it."""
        return self.range_text.replace(" pi", "\u03c0").replace("-", "\u2212")

    def _end(self, x: float) -> str:
        return f"{x / math.pi:g} pi" if self.in_radians and x else f"{x:g}"

    def covers(self, x: Float32s) -> Bools:
        """Return which x lie in the range, whose ends are taken as the nearest float32."""
        return (x >= np.float32(self.low)) & (x <= np.float32(self.high))


@dataclass(frozen=True)
class Aim:
    """What a model was made to compute: ``target``, or None; then ``unknown`` is the clause that says why."""

    target: Target | None
    unknown: str = ""


@dataclass(frozen=True)
class _Elementwise:
    """The C library's function applied to each element: NumPy's own vary more between CPUs."""

    function: Callable[[float], float]

    def __call__(self, x: Float64s) -> Float64s:
        values = np.fromiter((self.function(value) for value in x.ravel().tolist()), np.float64, x.size)
        return values.reshape(x.shape)


def _sinc(x: float) -> float:
    return math.sin(x) / x if x else 1.0


def _gaussian(x: float) -> float:
    return math.exp(-x * x / 2)


TARGETS = {
    target.name: target
    for target in (
        Target("sin", _Elementwise(math.sin), 0.0, 2 * math.pi, "sin x"),
        Target("cos", _Elementwise(math.cos), 0.0, 2 * math.pi, "cos x"),
        Target("sinc", _Elementwise(_sinc), -2 * math.pi, 2 * math.pi, "sin(x)/x"),
        Target("gaussian", _Elementwise(_gaussian), -4.0, 4.0, "exp(\u2212x\u00b2/2)"),
    )
}
FROM_A_FILE = Aim(None, "its samples came from a file, and no function is known behind them")
NOT_UNDERSTOOD = Aim(None, "its manifest names no function that this version knows")
NO_MANIFEST = Aim(None, "no manifest beside the file says what it was trained on")


def aim_of(recipe: Mapping[str, Any]) -> Aim:
    """Return what a manifest's recipe was for; one that is silent is from before recipes could say it: sin."""
    data = recipe.get("data", {"target": "sin"})
    if not isinstance(data, Mapping):
        return NOT_UNDERSTOOD
    if "file" in data:
        return FROM_A_FILE
    name = data.get("target", "sin")
    return Aim(TARGETS[name]) if isinstance(name, str) and name in TARGETS else NOT_UNDERSTOOD
