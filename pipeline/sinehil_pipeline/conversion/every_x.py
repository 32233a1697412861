"""How far the int8 model is from its target over every x in range, as the real interpreter computes it."""

from dataclasses import dataclass

from sinehil.model.interpreters import LitertOracle
from sinehil.model.targets import Target
from sinehil.model.tflite import QuantizedModel
from sinehil_pipeline.refinement.floor import CODES, floor_of, worst_error


@dataclass(frozen=True)
class EveryX:
    """The largest |y - target(x)| over every x in the target's range, and the least that the model's scales allow."""

    max_abs_error: float
    floor: float


def measure_every_x(model: QuantizedModel, target: Target) -> EveryX:
    """Run the interpreter on the 256 codes that x can become: y depends on x through its code alone."""
    y_q = LitertOracle(model).predict_codes(CODES)
    return EveryX(worst_error(model, target, y_q), floor_of(model.input, model.output, target))
