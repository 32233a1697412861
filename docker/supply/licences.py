"""Check licences of packages against the allow list, from their metadata as SPDX expressions. Reads no file."""

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from supply.sbom import Component
from supply.spdx import Allowed, satisfied

REQUIRED_KINDS = ("deb", "pypi", "golang")  # an image without one of these was not scanned properly
# Debian's short names of the GNU licences: GPL-2+, LGPL-2.1, GFDL-NIV-1.3+, and the same with a v, GPLv3+.
GNU = re.compile(r"(A?GPL|LGPL|GFDL)(-NIV)?-?v?(\d(?:\.\d)?)(\+?)")
NO_INVARIANTS = "-no-invariants"


@dataclass(frozen=True)
class Allowance:
    """A licence that packages of a kind and a name (both may be globs) may have."""

    kind: str
    name: str
    licence: str


@dataclass(frozen=True)
class KnownLicence:
    """The licence of a package whose metadata say nothing or too little, and where it is written.

    It holds only while the metadata say just that: each thing said must begin with one of ``says``.
    """

    kind: str
    name: str
    version: str
    licence: str
    written: str
    says: tuple[str, ...] = ()

    def applies_to(self, component: Component) -> bool:
        """Tell whether this is about ``component`` as its metadata stand."""
        said = (*component.expressions, *component.names)
        return (
            component.kind == self.kind
            and fnmatchcase(component.name, self.name)
            and fnmatchcase(component.version, self.version)
            and bool(said) == bool(self.says)
            and all(text.startswith(self.says) for text in said)
        )


@dataclass(frozen=True)
class Policy:
    """What is allowed, what other names mean in SPDX, and what is known better than the metadata."""

    allowances: tuple[Allowance, ...]
    aliases: Mapping[str, str]
    overrides: tuple[KnownLicence, ...]


def parse_policy(allowed: str, known: str) -> Policy:
    """Return the policy in the texts of licences-allowed.txt and licences-known.toml."""
    table = tomllib.loads(known)
    overrides = [KnownLicence(**{**row, "says": tuple(row.get("says", ()))}) for row in table["override"]]
    return Policy(tuple(parse_allowances(allowed)), table["alias"], tuple(overrides))


def parse_allowances(text: str) -> Iterable[Allowance]:
    """Yield one allowance a line; ``[kind]`` and ``[kind name]`` say for which packages the next lines are."""
    kind = name = ""
    for line in (raw.partition("#")[0].strip() for raw in text.splitlines()):
        if line.startswith("["):
            kind, _, name = line.strip("[]").partition(" ")
        elif line:
            yield Allowance(kind, name or "*", line)


def spdx(component: Component, policy: Policy) -> list[str]:
    """Return the SPDX expressions that all hold for ``component``; raise ValueError naming what is not understood."""
    for override in policy.overrides:
        if override.applies_to(component):
            return [override.licence]
    return sorted(
        {*component.expressions, *(_named(component.kind, name, policy) for name in component.names)}
    )


def _named(kind: str, name: str, policy: Policy) -> str:
    """Return the SPDX expression for a name that is none.

    A Debian short name without a meaning in SPDX becomes a reference of its own, for the allow list to name.
    """
    if name in policy.aliases:
        return policy.aliases[name]
    gnu = GNU.fullmatch(name)
    if gnu is not None:
        family, no_invariants, number, plus = gnu.groups()
        version = number if "." in number else f"{number}.0"
        part = NO_INVARIANTS if no_invariants else ""
        return f"{family}-{version}{part}-{'or-later' if plus else 'only'}"
    if kind == "deb":
        return "LicenseRef-Debian-" + re.sub(r"[^A-Za-z0-9.-]+", "-", name)
    raise ValueError(f"says {_short(name)!r}, which is not understood")


def problem(component: Component, policy: Policy) -> str | None:
    """Return what is wrong with a component's licence, or None."""
    try:
        expressions = spdx(component, policy)
        bad = [text for text in expressions if not satisfied(text, _allowed_for(component, policy))]
    except ValueError as error:
        return str(error)
    if not expressions:
        return "says nothing about its licence"
    return f"has {', '.join(bad)}, which is not on the allow list" if bad else None


def _allowed_for(component: Component, policy: Policy) -> Allowed:
    licences = {
        allowance.licence
        for allowance in policy.allowances
        if fnmatchcase(component.kind, allowance.kind) and fnmatchcase(component.name, allowance.name)
    }
    return licences.__contains__


def problems(found: Sequence[Component], policy: Policy) -> list[str]:
    """Return one sentence for each package that may not be in an image as it stands, and each kind that is missing."""
    present = {component.kind for component in found}
    missing = [f"no {kind} package at all: not a full scan" for kind in REQUIRED_KINDS if kind not in present]
    judged = ((component, problem(component, policy)) for component in found)
    return missing + sorted(f"{component} {text}" for component, text in judged if text is not None)


def unused_overrides(found: Sequence[Component], policy: Policy) -> list[str]:
    """Return the names of overrides that no package needs any more."""
    return [row.name for row in policy.overrides if not any(map(row.applies_to, found))]


def copyleft_outside_debian(found: Sequence[Component], policy: Policy) -> list[str]:
    """Return the names of packages under a GNU licence that are not Debian's: the notice must name each."""
    others = [component for component in found if component.kind != "deb"]
    return sorted({one.name for one in others if any("GPL-" in text for text in spdx(one, policy))})


def _short(text: str) -> str:
    line = text.splitlines()[0]
    return line if len(line) <= 40 else line[:37] + "..."
