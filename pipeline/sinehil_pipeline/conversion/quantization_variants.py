"""Measure size and error of the same model quantized in each other way."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sinehil.model.arrays import Float32s, Float64s
from sinehil.model.interpreters import LitertOracle
from sinehil.model.tflite import parse_quantized_model
from sinehil_pipeline.config import QuantizationRecipe, Recipe
from sinehil_pipeline.conversion.convert import VARIANTS, TfliteFiles, convert_as
from sinehil_pipeline.data.samples import target_of
from sinehil_pipeline.training.curves import fixed_order_y, grid_x, target_y


@dataclass(frozen=True)
class MeasuredVariant:
    """The size of a file in one form; over the page's grid, its largest distance from the target or float model."""

    form: QuantizationRecipe
    bytes: int
    max_distance: float


def measure_variants(
    recipe: Recipe, weights: Sequence[Float32s], files: TfliteFiles
) -> tuple[MeasuredVariant, ...]:
    """Convert to each form, except the one that is there already, and let the interpreter run the results."""
    x, target = grid_x(recipe), target_of(recipe)
    float_y = fixed_order_y(weights, x, recipe.final.activation).astype(np.float64)
    reference = float_y if target is None else target_y(target, x)

    def measured(form: QuantizationRecipe) -> MeasuredVariant:
        ours = form == recipe.quantization
        data = files.quantized if ours else convert_as(recipe, weights, form)
        return MeasuredVariant(form, len(data), _max_distance(data, x, reference))

    return tuple(map(measured, VARIANTS))


def _max_distance(data: bytes, x: Float32s, reference: Float64s) -> float:
    oracle = LitertOracle(parse_quantized_model(data, "a form of the model"))
    return float(np.abs(oracle.predict(x) - reference).max())
