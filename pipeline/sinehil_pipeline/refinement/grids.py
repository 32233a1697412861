"""Which input and output scales leave the least floor: where x is cut into codes, and which y there are."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from sinehil.arithmetic import HIGHEST, LOWEST
from sinehil.tflite_model import Quantization, QuantizedModel
from sinehil_pipeline.refinement.floor import floor_of, spans
from sinehil_pipeline.refinement.patch import with_layers
from sinehil_pipeline.targets import Target

# Relative to the input scale that just covers the range; below 1 its ends saturate, which costs nothing where the
# target is flat. Output scales are relative to the one that just covers the best y of all cells.
INPUT_FACTORS = np.arange(700, 1021, 4) / 1000
OUTPUT_FACTORS = np.arange(980, 1101) / 1000


@dataclass(frozen=True)
class Grids:
    """Quantisation of both ends, and the floor they have."""

    input: Quantization
    output: Quantization
    floor: float


def best_grids(input_: Quantization, target: Target) -> Grids:
    """Return the grids of least floor with the input's zero point as it is."""
    found = (best_output(trial, target) for trial in _inputs(input_, target))
    return min(found, key=lambda grids: grids.floor)


def best_output(input_: Quantization, target: Target) -> Grids:
    """Return the output grid of least floor for one input grid."""
    span = spans(input_, target)
    middle = (span.lowest + span.highest)[span.used] / 2
    reach = (span.highest - span.lowest)[span.used] / 2
    low, high = min(float(middle.min()), 0.0), max(float(middle.max()), 0.0)
    scales = ((high - low) / (HIGHEST - LOWEST) * OUTPUT_FACTORS).astype(np.float32)
    zero_points = np.clip(np.rint(LOWEST - low / scales.astype(np.float64)), LOWEST, HIGHEST)
    wide, zeros = scales.astype(np.float64)[:, None], zero_points[:, None]
    codes = np.clip(np.rint(middle / wide) + zeros, LOWEST, HIGHEST)
    floors = (np.abs(middle - (codes - zeros) * wide) + reach).max(axis=1)
    best = int(np.rint(floors / 2.0**-24).argmin())
    output = Quantization(scales[best], int(zero_points[best]))
    return Grids(input_, output, float(floors[best]))


def _inputs(input_: Quantization, target: Target) -> Iterator[Quantization]:
    below, above = LOWEST - input_.zero_point, HIGHEST - input_.zero_point
    covering = max(target.low / below if below else 0.0, target.high / above if above else 0.0)
    for factor in INPUT_FACTORS:
        yield Quantization(np.float32(covering * factor), input_.zero_point)


def fit_grids(model: QuantizedModel, target: Target) -> QuantizedModel:
    """Return ``model`` on the grids of least floor, rescaled; or as it is if they do not help."""
    grids = best_grids(model.input, target)
    if grids.floor >= floor_of(model.input, model.output, target):
        return model
    first, *_ = layers = list(model.layers)
    ratio = float(first.input.scale) / float(grids.input.scale)
    bias = np.rint(first.bias.astype(np.float64) * ratio).astype(np.int32)
    layers[0] = replace(first, input=grids.input, bias=bias)
    layers[-1] = replace(layers[-1], output=grids.output)
    return with_layers(model, layers)
