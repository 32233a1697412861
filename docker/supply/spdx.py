"""SPDX licence expressions, parsed just far enough to ask whether allowed licences satisfy one."""

import re
from collections.abc import Callable, Iterator

TOKEN = re.compile(r"\s*([()]|[A-Za-z0-9][A-Za-z0-9.+-]*)")
Allowed = Callable[[str], bool]


def satisfied(expression: str, is_allowed: Allowed) -> bool:
    """Tell whether an SPDX ``expression`` can be complied with by allowed licences alone.

    OR needs one side, AND needs both. ``X WITH E`` is allowed when it or X is: exceptions only add permissions.
    Raises ValueError when ``expression`` is not one.
    """
    tokens = list(_tokens(expression))
    result = _either(tokens, is_allowed)
    if tokens:
        raise ValueError(f"{tokens[0]!r} is one too many in {expression!r}")
    return result


def _tokens(expression: str) -> Iterator[str]:
    position = 0
    while expression[position:].strip():
        match = TOKEN.match(expression, position)
        if match is None:
            raise ValueError(f"not an SPDX expression: {expression!r}")
        yield match[1]
        position = match.end()


def _either(tokens: list[str], is_allowed: Allowed) -> bool:
    result = _both(tokens, is_allowed)
    while tokens[:1] == ["OR"]:
        del tokens[0]
        other = _both(tokens, is_allowed)  # parsed in any case
        result = result or other
    return result


def _both(tokens: list[str], is_allowed: Allowed) -> bool:
    result = _single(tokens, is_allowed)
    while tokens[:1] == ["AND"]:
        del tokens[0]
        other = _single(tokens, is_allowed)
        result = result and other
    return result


def _single(tokens: list[str], is_allowed: Allowed) -> bool:
    first = _take(tokens)
    if first == "(":
        result = _either(tokens, is_allowed)
        if _take(tokens) != ")":
            raise ValueError("a closing parenthesis is missing")
        return result
    if first in (")", "AND", "OR", "WITH"):
        raise ValueError(f"{first!r} where a licence should be")
    if tokens[:1] != ["WITH"]:
        return is_allowed(first)
    del tokens[0]
    return is_allowed(f"{first} WITH {_take(tokens)}") or is_allowed(first)


def _take(tokens: list[str]) -> str:
    if not tokens:
        raise ValueError("the expression ends too early")
    return tokens.pop(0)
