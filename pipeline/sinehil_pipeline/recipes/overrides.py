"""Parse ``--set KEY=VALUE`` options and apply them to a recipe."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sinehil.errors import UsageError
from sinehil_pipeline.recipes.checked_table import shown

HELP = "for example `--set final.epochs=100` or `--set 'final.hidden=[32, 16]'`"
MAX_DEPTH = 8  # no key is that deep
DRAWN = ("samples", "noise")  # what a target needs and a file brings


@dataclass(frozen=True)
class Override:
    """``key``, dotted, gets ``value``; ``label`` is the option as it was typed, for messages."""

    key: str
    value: Any
    label: str


def parse_override(text: str) -> Override:
    """Return what ``KEY=VALUE`` says: VALUE as TOML has it, or else a plain string. Raises UsageError."""
    key, equals, value = text.partition("=")
    key = key.strip()
    parts = key.split(".")
    if not equals or not all(parts) or len(parts) > MAX_DEPTH:
        raise UsageError(f"--set {shown(text)} is not KEY=VALUE", HELP)
    return Override(key, _toml_value(value.strip()), f"--set {key}={shown(value.strip())[1:-1]}")


def seed_override(seed: int) -> Override:
    """Return what ``--seed`` says."""
    return Override("seed", seed, f"--seed {seed}")


def data_override(path: Path) -> Override:
    """Return what ``--data`` says."""
    return Override("data.file", str(path), f"--data {path}")


def _toml_value(text: str) -> Any:
    try:
        document = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    return document["value"] if document.keys() == {"value"} else text


def apply_overrides(document: Mapping[str, Any], overrides: Sequence[Override]) -> dict[str, Any]:
    """Return the document with the overrides in it; raise UsageError where there is no table to put one into."""
    changed = _without_other_data(document, {override.key for override in overrides})
    for override in overrides:
        changed = _with(changed, override.key.split("."), override)
    return changed


def _without_other_data(document: Mapping[str, Any], keys: set[str]) -> dict[str, Any]:
    """Drop the recipe's data, and what belongs to them, where the command line brings others."""
    new_data = keys & {"data.target", "data.file"}
    dropped = {"data"} if new_data else set()
    if "data.file" in keys:
        dropped |= set(DRAWN)
    return {key: value for key, value in document.items() if key not in dropped}


def _with(table: Mapping[str, Any], path: list[str], override: Override) -> dict[str, Any]:
    first, *rest = path
    if not rest:
        return {**table, first: override.value}
    inner = table.get(first, {})
    if not isinstance(inner, dict):
        raise UsageError(f"{override.label}: {first} is no table, it has no {rest[0]}", HELP)
    return {**table, first: _with(inner, rest, override)}
