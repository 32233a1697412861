"""Which cases of a grid `make test` runs; the others carry the mark ``extended``, for `make test-all`."""

import re
from collections.abc import Iterable, Sequence
from typing import TypeVar

import pytest
from _pytest.mark import ParameterSet

T = TypeVar("T")


def first(count: int, cases: Iterable[T], *, spread: bool = False) -> list[T | ParameterSet]:
    """Return the cases, those after the first ``count`` marked as extended.

    ``spread``: each case holds the values of several arguments.
    """
    listed = list(cases)
    return only(listed[:count], listed, spread=spread)


def one_per_kind(names: Iterable[str]) -> list[str | ParameterSet]:
    """Return the names, each marked as extended if it differs from an earlier one only in the number at its end."""
    kinds: dict[str, str] = {}
    listed = list(names)
    for name in listed:
        kinds.setdefault(re.sub(r" -?\d+$", "", name), name)
    return only([*kinds.values()], listed)


def only(wanted: Sequence[T], cases: Iterable[T], *, spread: bool = False) -> list[T | ParameterSet]:
    """Return the cases, all but the ``wanted`` ones marked as extended; ``spread`` as in ``first``."""
    return [
        case if case in wanted else extended(*case) if spread and isinstance(case, tuple) else extended(case)
        for case in cases
    ]


def extended(*values: object) -> ParameterSet:
    """Return one case, of one argument or of several, that `make test` leaves to `make test-all`."""
    return pytest.param(*values, marks=pytest.mark.extended)
