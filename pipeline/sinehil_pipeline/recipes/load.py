"""Load a recipe by name, from a TOML file, or from a manifest."""

import tomllib
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from sinehil.base.files import bounded_bytes
from sinehil.base.manifest import MANIFEST, SOURCE_DATA, Manifest, checked_file, read_manifest_file
from sinehil.errors import ArtefactError, UsageError
from sinehil_pipeline.config import Recipe
from sinehil_pipeline.data.csv_samples import read_csv
from sinehil_pipeline.recipes.checked_table import RecipeTable
from sinehil_pipeline.recipes.overrides import Override, apply_overrides
from sinehil_pipeline.recipes.recipe_checks import build_recipe

BUILT_IN = ("book", "precise")
MAX_RECIPE_BYTES = 64 << 10
HELP = "see the comments of `sinehil train --recipe book --print-recipe`"


def recipe_text(name: str) -> str:
    """Return the TOML of a recipe: built in, else a file. Raises UsageError, ArtefactError."""
    if name in BUILT_IN:
        return (resources.files(__package__) / f"{name}.toml").read_text("utf-8")
    if not (name.endswith(".toml") or "/" in name):
        raise UsageError(
            f"there is no recipe {name!r}", f"choose one of {', '.join(BUILT_IN)}, or a file: path/to/my.toml"
        )
    content = bounded_bytes(Path(name), MAX_RECIPE_BYTES)
    if content is None:
        raise ArtefactError(f"{name} has more than {MAX_RECIPE_BYTES} bytes: not a recipe", HELP)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ArtefactError(f"{name} is not UTF-8 text: byte {error.start}", HELP) from error


def load_recipe(name: str, overrides: Sequence[Override] = ()) -> Recipe:
    """Return a recipe, built in or from a file, with single keys overridden; all of it is checked.

    A ``data.file`` is looked for beside the recipe, one from the command line in the current folder. Raises
    UsageError for what the command line says, ArtefactError for what files say.
    """
    source = f"{name}.toml" if name in BUILT_IN else name
    document = _parsed(recipe_text(name), source)
    return _resolved(document, source, overrides, Path(name).parent)


def repeated_recipe(path: Path, overrides: Sequence[Override] = ()) -> tuple[Recipe, Manifest]:
    """Return the recipe of an earlier run, and its manifest; ``path`` names that or its folder. Raises as above."""
    manifest_path = path / MANIFEST if path.is_dir() else path
    manifest = read_manifest_file(manifest_path)
    folder, replaced = manifest_path.parent, any(item.key.startswith("data.") for item in overrides)
    data = manifest.recipe.get("data", {})
    if not replaced and isinstance(data, dict) and "file" in data:
        if data["file"] != SOURCE_DATA:
            raise ArtefactError(
                f"{manifest_path}: data.file is not {SOURCE_DATA}", "make the artefacts again"
            )
        checked_file(folder, manifest, SOURCE_DATA)
    return _resolved(manifest.recipe, str(manifest_path), overrides, folder), manifest


def _parsed(text: str, source: str) -> Mapping[str, Any]:
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ArtefactError(f"{source} is nested too deeply to be a recipe", HELP) from None
    except ValueError as error:  # its subclass for TOML, and Python's own for numbers of thousands of digits
        raise ArtefactError(f"{source} is not TOML: {error}", f"correct {source}; {HELP}") from error


def _resolved(
    document: Mapping[str, Any], source: str, overrides: Sequence[Override], folder: Path
) -> Recipe:
    table = RecipeTable(
        source,
        apply_overrides(document, overrides),
        labels={override.key: override.label for override in overrides},
    )
    data = table.table("data")
    if not data.has("file"):
        return build_recipe(table, None, "")
    name = data.values["file"]
    if not isinstance(name, str) or not name:
        raise data.bad("file", "the path of a CSV file")
    path = Path(name) if "data.file" in table.labels else folder / name
    return build_recipe(table, read_csv(path), str(path))
