"""Compare the interpreters with each other for one model."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from sinehil.model.arrays import Codes
from sinehil.model.interpreters import Oracle
from sinehil.model.tflite import QuantizedModel
from sinehil.verify import DEFAULT_SEED
from sinehil.verify.probes import all_codes
from sinehil.verify.sampled_inputs import MIN_SAMPLES, sampled_codes


@dataclass(frozen=True)
class Difference:
    """On how many of ``compared`` samples two oracles give another output code, and how many codes apart at most."""

    first: str
    second: str
    differ: int
    compared: int
    max_lsb: int

    def sentence(self) -> str:
        """Return it in words."""
        samples = (
            f"{self.compared:,} codes" if self.compared == len(all_codes()) else f"{self.compared:,} samples"
        )
        if self.differ == 0:
            return f"{self.first} and {self.second} agree on all {samples}"
        return f"{self.first} and {self.second} differ on {self.differ:,} of {samples}, by up to {self.max_lsb} LSB"


def oracle_differences(oracles: Sequence[Oracle], model: QuantizedModel) -> list[Difference]:
    """Compare each pair on every code of a model with one input, else on seeded samples with corners."""
    if model.inputs == 1:
        x_q = all_codes()
    else:
        x_q = sampled_codes(model.inputs, model.input.zero_point, MIN_SAMPLES, DEFAULT_SEED)
    codes = {oracle.name: oracle.predict_codes(x_q).reshape(len(x_q), -1) for oracle in oracles}
    return [
        _difference(first, second, codes[first], codes[second]) for first, second in combinations(codes, 2)
    ]


def _difference(first: str, second: str, codes: Codes, others: Codes) -> Difference:
    apart = np.abs(codes.astype(np.int16) - others)
    return Difference(first, second, int(np.any(apart, axis=1).sum()), len(codes), int(apart.max()))
