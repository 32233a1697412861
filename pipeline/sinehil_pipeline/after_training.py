"""What a recipe lets happen to the quantised file after its conversion: the list ``after``, in order."""

from sinehil.errors import UsageError
from sinehil_pipeline.config import Recipe, Refine


def run_steps(recipe: Recipe, quantized: bytes) -> bytes:
    """Return the .tflite after each of the recipe's steps."""
    for step in recipe.after:
        quantized = _run_step(step, recipe, quantized)
    return quantized


def _run_step(step: Refine, recipe: Recipe, quantized: bytes) -> bytes:
    raise UsageError(f"{recipe.name}: this version has no step {step.step!r} yet ({len(quantized)} bytes)")
