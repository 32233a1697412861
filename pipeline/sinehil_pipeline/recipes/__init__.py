"""Read and check training recipes, TOML files: ``book.toml`` and ``precise.toml`` are built in.

May import config, data and training.
"""

from sinehil_pipeline.recipes.load import BUILT_IN, load_recipe, recipe_text, repeated_recipe
from sinehil_pipeline.recipes.overrides import Override, data_override, parse_override, seed_override

__all__ = [
    "BUILT_IN",
    "Override",
    "data_override",
    "load_recipe",
    "parse_override",
    "recipe_text",
    "repeated_recipe",
    "seed_override",
]
