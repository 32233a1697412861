"""Choose the input codes on which kernels are run on this machine: all of one input, or seeded samples."""

import numpy as np

from sinehil.model.arrays import Codes
from sinehil.model.tflite import QuantizedModel
from sinehil.verify.probes import all_codes
from sinehil.verify.sampled_inputs import MIN_SAMPLES, sampled_codes

SEED = 137
FLAT = 5  # samples that are alike in every input or alternate, the first ones of sampled_codes


def sample_codes(model: QuantizedModel, count: int) -> Codes:
    """Return input codes [n, inputs]: all 256 of one input; else ``count`` of those that ``verify`` sends, drawn."""
    if model.inputs == 1:
        return all_codes().reshape(-1, 1)
    every = sampled_codes(model.inputs, model.input.zero_point, MIN_SAMPLES, SEED)
    drawn = np.random.default_rng(SEED).permutation(len(every) - FLAT)[: max(0, count - FLAT)] + FLAT
    return np.concatenate([every[:FLAT], every[drawn]])[:count]
