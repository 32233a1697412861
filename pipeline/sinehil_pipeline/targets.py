"""The functions that a model can be asked to be."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float64s = NDArray[np.float64]
Function = Callable[[Float64s], Float64s]


@dataclass(frozen=True)
class Target:
    """``function`` maps float64 x of any shape to y of that shape; it is of interest for low <= x <= high."""

    name: str
    function: Function
    low: float
    high: float


def _elementwise(function: Callable[[float], float]) -> Function:
    """Apply the C library's function to each element: NumPy's own vary more between CPUs."""

    def apply(x: Float64s) -> Float64s:
        values = np.fromiter((function(value) for value in x.ravel().tolist()), np.float64, x.size)
        return values.reshape(x.shape)

    return apply


def _sinc(x: float) -> float:
    return math.sin(x) / x if x else 1.0


def _gaussian(x: float) -> float:
    return math.exp(-x * x / 2)


TARGETS = {
    target.name: target
    for target in (
        Target("sin", _elementwise(math.sin), 0.0, 2 * math.pi),
        Target("cos", _elementwise(math.cos), 0.0, 2 * math.pi),
        Target("sinc", _elementwise(_sinc), -2 * math.pi, 2 * math.pi),
        Target("gaussian", _elementwise(_gaussian), -4.0, 4.0),
    )
}
