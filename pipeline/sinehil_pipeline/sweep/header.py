"""The first line of a results file: what its results are results of."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from sinehil.base.installed import versions
from sinehil_pipeline.config import Recipe
from sinehil_pipeline.recipes.table import shown

SCHEMA = 1
Header = Mapping[str, Any]


def header_of(recipe: Recipe) -> Header:
    """Return everything that decides a seed's results, as JSON gives it back; the seed itself is what is swept."""
    described = {key: value for key, value in recipe.as_dict().items() if key != "seed"}
    if recipe.data.csv is not None:
        described["data"] = {"sha256": hashlib.sha256(recipe.data.csv).hexdigest()}
    document = {"sinehil_sweep": SCHEMA, "recipe": described, "versions": versions()}
    checked: Header = json.loads(json.dumps(document))
    return checked


def first_difference(there: Any, here: Any, key: str = "") -> str | None:
    """Return where two headers differ, for people; None if they are equal. ``there`` may come from anywhere."""
    if not (isinstance(there, dict) and isinstance(here, dict)):
        same = type(there) is type(here) and there == here  # to Python alone, true is 1
        return None if same else f"{key} is {shown(there)} there and {shown(here)} here"
    for name in [*here, *(name for name in there if name not in here)]:
        dotted = f"{key}.{name}" if key else name
        if name not in there or name not in here:
            return f"only one of the two has {shown(dotted)}"
        found = first_difference(there[name], here[name], dotted)
        if found is not None:
            return found
    return None
