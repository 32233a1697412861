"""What a recipe lets happen to the quantised file after its conversion: the list ``after``, in order."""

from sinehil.errors import UsageError
from sinehil_pipeline.config import Recipe, Refine
from sinehil_pipeline.refine import OnProgress, RefineSettings, refine
from sinehil_pipeline.targets import TARGETS


def run_steps(recipe: Recipe, quantized: bytes, on_progress: OnProgress | None = None) -> bytes:
    """Return the .tflite after each of the recipe's steps; raise UsageError for samples that are no function's."""
    for step in recipe.after:
        quantized = _refined(step, recipe, quantized, on_progress)
    return quantized


def _refined(step: Refine, recipe: Recipe, quantized: bytes, on_progress: OnProgress | None) -> bytes:
    if recipe.data.target is None:
        raise UsageError(
            f"{recipe.name}: the step refine needs a built-in target, and the samples come from a file",
            "override it: --set after=[]",
        )
    settings = RefineSettings(evaluations=step.budget, seed=step.seed)
    return refine(quantized, TARGETS[recipe.data.target], settings, on_progress, "the quantised model").model
