"""Integer and float rules of each oracle, in NumPy; what all oracles share is a plain function. May import tflite.

Measured against the real interpreters over all codes, all quantiser steps and rounding ties; see tests/kernels.
"""

from sinehil.errors import UsageError
from sinehil.model.arithmetic.exact_sums import accumulate, accumulator_interval, dequantize, multipliers
from sinehil.model.arithmetic.litert import Litert
from sinehil.model.arithmetic.litert_ref import LitertRef
from sinehil.model.arithmetic.oracle_arithmetic import Arithmetic
from sinehil.model.arithmetic.tflm import Tflm

__all__ = [
    "LITERT",
    "ORACLES",
    "Arithmetic",
    "accumulate",
    "accumulator_interval",
    "arithmetic_of",
    "dequantize",
    "multipliers",
]

LITERT = Litert()
_ALL: dict[str, Arithmetic] = {rules.name: rules for rules in (LITERT, LitertRef(), Tflm())}
ORACLES: tuple[str, ...] = tuple(_ALL)


def arithmetic_of(oracle: str) -> Arithmetic:
    """Return the rules of the oracle with this name; UsageError if there is none."""
    if oracle not in _ALL:
        raise UsageError(f"there is no oracle {oracle!r}", f"choose one of: {', '.join(ORACLES)}")
    return _ALL[oracle]
