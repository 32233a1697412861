"""Escaping, style sheets and the content security policy that every page has in common."""

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from typing import Any

import jinja2
from markupsafe import Markup

from sinehil.base.untrusted_text import visible

SHARED = "sinehil.report"

Facts = list[tuple[str, str]]


@dataclass(frozen=True)
class Tile:
    """One figure at a glance."""

    name: str
    value: str
    unit: str


def render(template: str, package: str, sheets: tuple[str, ...], **values: Any) -> str:
    """Return the page of ``template``, looked for in ``package`` and beside this file.

    Every string in it is escaped, and has its invisible characters spelled out. ``sheets`` are style sheets; the
    template finds them as ``style`` and ``style_hash``.
    """
    pages = _environment(package)
    style = "".join(_source(pages, name) for name in sheets)
    return pages.get_template(template).render(
        style=Markup(style),  # noqa: S704 (our own files: nothing from outside is in them)
        style_hash=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        **values,
    )


@cache
def _environment(package: str) -> jinja2.Environment:
    places = dict.fromkeys([package, SHARED])
    return jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader(place, "") for place in places]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )


def _finalize(value: Any) -> Any:
    """Spell out invisible characters of whatever the template prints."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _source(pages: jinja2.Environment, name: str) -> str:
    assert pages.loader is not None
    return pages.loader.get_source(pages, name)[0]
