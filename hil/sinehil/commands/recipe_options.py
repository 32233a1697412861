"""How commands are told which recipe to train."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sinehil_pipeline.recipes import Override

DEFAULT_RECIPE = "book"

RecipeName = Annotated[
    str | None,
    typer.Option("--recipe", metavar="NAME", help="book (the default), precise, or path/to/my.toml."),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override one key of the recipe. May be repeated."),
]
Data = Annotated[
    Path | None,
    typer.Option(
        "--data", metavar="X.csv", help="Learn from the columns x and y of this file (--set data.file)."
    ),
]


def overrides(keys: list[str] | None, data: Path | None, seed: int | None = None) -> "list[Override]":
    """Return what --data, --seed and --set say, in that order."""
    from sinehil_pipeline.recipes import data_override, parse_override, seed_override

    named = [] if data is None else [data_override(data)]
    named += [] if seed is None else [seed_override(seed)]
    return [*named, *map(parse_override, keys or [])]
