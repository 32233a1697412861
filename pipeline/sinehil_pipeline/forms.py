"""What the other ways to quantise the same model would come to."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sinehil.oracle import LitertOracle
from sinehil.tflite_model import parse_quantized_model
from sinehil_pipeline.config import QuantizationRecipe, Recipe
from sinehil_pipeline.convert import FORMS, TfliteFiles, convert_as
from sinehil_pipeline.curves import exact_y, grid_x
from sinehil_pipeline.data import Float32s


@dataclass(frozen=True)
class MeasuredForm:
    """The size of a file in one form, and its largest distance from sin x over the page's grid."""

    form: QuantizationRecipe
    bytes: int
    max_abs_error_to_sine: float


def measure_forms(
    recipe: Recipe, weights: Sequence[Float32s], files: TfliteFiles
) -> tuple[MeasuredForm, ...]:
    """Convert to each form, except the one that is there already, and let the interpreter run the results."""
    return tuple(
        _measured(form, files.quantized if form == recipe.quantization else convert_as(recipe, weights, form))
        for form in FORMS
    )


def _measured(form: QuantizationRecipe, data: bytes) -> MeasuredForm:
    oracle = LitertOracle(parse_quantized_model(data, "a form of the model"))
    error = oracle.predict(grid_x()).astype(np.float64) - exact_y(grid_x())
    return MeasuredForm(form, len(data), float(np.abs(error).max()))
