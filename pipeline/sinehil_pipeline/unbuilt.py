"""What a recipe can say before the trainers can do it. Shrinks to nothing as they learn it."""

from sinehil.errors import UsageError
from sinehil_pipeline.config import ModelRecipe, Recipe


def refuse_unbuilt(recipe: Recipe) -> None:
    """Raise UsageError rather than train something else than the recipe says."""
    plain = ModelRecipe("", (), 0, 0)
    for model in (recipe.baseline, recipe.final):
        for key in ("activation", "init", "optimizer"):
            if getattr(model, key) != getattr(plain, key):
                raise UsageError(
                    f"this version cannot train {model.name} with {key} {getattr(model, key)} yet",
                    f"leave {key} out of the recipe",
                )
