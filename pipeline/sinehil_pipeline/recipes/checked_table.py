"""Typed access to one TOML table; every error names file, key, value and what is allowed."""

import difflib
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sinehil.errors import ArtefactError, SinehilError, UsageError

Choice = TypeVar("Choice", bound=str)
_MAX_SHOWN_BITS = 128
_shown = reprlib.Repr()
_shown.maxlevel, _shown.maxstring, _shown.maxother = 2, 60, 60


def shown(value: object) -> str:
    """Return a value in few characters, whatever it is."""
    if isinstance(value, int) and value.bit_length() > _MAX_SHOWN_BITS:
        return f"a whole number of {value.bit_length()} bits"
    if isinstance(value, list) and any(isinstance(item, int | list | dict) for item in value):
        return f"[{', '.join(_item(item) for item in value[:6])}{', ...' if len(value) > 6 else ''}]"
    return "true" if value is True else "false" if value is False else _shown.repr(value)


def _item(value: object) -> str:
    return "[...]" if isinstance(value, list) else "{...}" if isinstance(value, dict) else shown(value)


@dataclass(frozen=True)
class RecipeTable:
    """Part of a recipe: ``source`` names its file, ``path`` the part, ``labels`` what the command line overrode."""

    source: str
    values: Mapping[str, Any]
    path: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)

    def dotted(self, key: str) -> str:
        """Return the key as one would write it after ``--set``."""
        return f"{self.path}.{key}" if self.path else key

    def has(self, key: str) -> bool:
        """Return whether the recipe names the key."""
        return key in self.values

    def refusal(self, keys: Sequence[str], sentence: str) -> SinehilError:
        """Return a UsageError if an option set one of the keys, else an ArtefactError."""
        label = next(filter(None, map(self._label, keys)), None)
        if label is not None:
            return UsageError(f"{label}: {sentence}", "change the option")
        return ArtefactError(f"{self.source}: {sentence}", f"correct {self.source}")

    def bad(self, key: str, allowed: str) -> SinehilError:
        """Return the error for a value that is not allowed, or missing."""
        problem = f"is {shown(self.values[key])}" if self.has(key) else "is missing"
        return self.refusal([key], f"{self.dotted(key)} {problem}; allowed: {allowed}")

    def check_keys(self, known: Iterable[str], elsewhere: Iterable[str] = ()) -> None:
        """Refuse keys that are not ``known``; ``elsewhere`` are dotted keys of the whole recipe, for a better hint."""
        names = list(known)
        for key in self.values:
            if key not in names:
                hint = self._hint(key, names, elsewhere)
                raise self.refusal([key], f"there is no key {shown(self.dotted(key))}; {hint}")

    def whole(self, key: str, low: int, high: int, default: int | None = None) -> int:
        """Return an integer in [low, high]."""
        value = self.values.get(key, default)
        if not _is_number(value, int) or not low <= value <= high:
            raise self.bad(key, f"a whole number from {low} to {high}")
        return int(value)

    def number(self, key: str, low: float, high: float, default: float | None = None) -> float:
        """Return a float in [low, high]; whole numbers will do."""
        value = self.values.get(key, default)
        if not _is_number(value, int, float) or not low <= value <= high:
            raise self.bad(key, f"a number from {low:g} to {high:g}")
        return float(value)

    def choice(self, key: str, choices: Iterable[Choice], default: Choice | None = None) -> Choice:
        """Return one of the choices."""
        value, names = self.values.get(key, default), list(choices)
        found = next((name for name in names if isinstance(value, str) and name == value), None)
        if found is None:
            raise self.bad(key, " or ".join(names) if len(names) < 3 else "one of " + ", ".join(names))
        return found

    def wholes(self, key: str, counts: tuple[int, int], limits: tuple[int, int]) -> tuple[int, ...]:
        """Return a list of integers, its length and values within what is given."""
        value, (fewest, most), (low, high) = self.values.get(key), counts, limits
        fits = isinstance(value, list) and fewest <= len(value) <= most
        if not fits or not all(_is_number(item, int) and low <= item <= high for item in value or ()):
            raise self.bad(key, f"a list of {fewest} to {most} whole numbers from {low} to {high}")
        return tuple(value or ())

    def table(self, key: str) -> "RecipeTable":
        """Return a table inside this one; an empty one where there is none."""
        value = self.values.get(key, {})
        if not isinstance(value, dict):
            raise self.bad(key, f"a table: [{self.dotted(key)}]")
        return RecipeTable(self.source, value, self.dotted(key), self._labels_below(key))

    def tables(self, key: str, most: int) -> list["RecipeTable"]:
        """Return a list of tables; an empty one where there is none."""
        value = self.values.get(key, [])
        fits = (
            isinstance(value, list) and len(value) <= most and all(isinstance(item, dict) for item in value)
        )
        if not fits:
            raise self.bad(key, f"up to {most} tables: [[{self.dotted(key)}]]")
        return [
            RecipeTable(self.source, item, f"{self.dotted(key)}.{number}", self._labels_below(key))
            for number, item in enumerate(value)
        ]

    def _hint(self, key: str, names: list[str], elsewhere: Iterable[str]) -> str:
        """Name the known keys that were probably meant, else all of this table's."""
        others = list(elsewhere)
        found = (
            [self.dotted(name) for name in difflib.get_close_matches(key[:80], names, 1, 0.7)]
            or [other for other in others if other.rpartition(".")[2] == key]
            or difflib.get_close_matches(key[:80], others, 1, 0.7)
        )
        if found:
            return f"did you mean {' or '.join(found)}?"
        return f"there are: {', '.join(map(self.dotted, names))}"

    def _label(self, key: str) -> str | None:
        """Return the option that set the key, a part of it, or the table it is in."""
        return (
            self.labels.get(key)
            or self.labels.get("")
            or next((label for name, label in self.labels.items() if name.startswith(f"{key}.")), None)
        )

    def _labels_below(self, key: str) -> dict[str, str]:
        below = {
            name.removeprefix(f"{key}."): label
            for name, label in self.labels.items()
            if name.startswith(f"{key}.")
        }
        whole = self.labels.get(key) or self.labels.get("")
        return {**below, "": whole} if whole else below


def _is_number(value: object, *kinds: type) -> bool:
    """Return whether it is a number; a bool is an int to Python, and to nobody else."""
    return isinstance(value, kinds) and not isinstance(value, bool)
