"""What a recipe lets happen to the quantised file after its conversion: the list ``after``, in order."""

from sinehil.model.targets import TARGETS
from sinehil_pipeline.config import Recipe, Refine
from sinehil_pipeline.refinement.refine import OnProgress, RefineSettings, refine


def run_steps(recipe: Recipe, quantized: bytes, on_progress: OnProgress) -> bytes:
    """Return the .tflite after each of the recipe's steps."""
    for step in recipe.after:
        quantized = _refined(step, recipe, quantized, on_progress)
    return quantized


def _refined(step: Refine, recipe: Recipe, quantized: bytes, on_progress: OnProgress) -> bytes:
    assert recipe.data.target is not None, "recipes.build refuses steps with data.file"
    settings = RefineSettings(evaluations=step.budget, seed=step.seed)
    return refine(quantized, TARGETS[recipe.data.target], settings, on_progress, "the quantised model").model
