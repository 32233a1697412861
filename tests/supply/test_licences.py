"""The licence check: what it lets through, and that each way of being wrong is named."""

import json
from pathlib import Path
from typing import Any

import pytest

from supply.check_licences import main, read_policy
from supply.licences import copyleft_outside_debian, parse_policy, problem, problems, spdx, unused_overrides
from supply.sbom import Component

POLICY = read_policy()
NOTICE = (Path(__file__).parents[2] / "docker/NOTICE.md").read_text()
GOOD = [
    Component("deb", "tini", "0.19.0-1", (), ("Expat",)),
    Component("pypi", "numpy", "2.4.6", ("BSD-3-Clause AND 0BSD AND MIT AND Zlib AND CC0-1.0",)),
    Component("golang", "github.com/arduino/arduino-cli", "v1.5.1", ("GPL-3.0-only",)),
]


def test_good_packages_have_no_problem() -> None:
    assert problems(GOOD, POLICY) == []


@pytest.mark.parametrize(
    ("bad", "text"),
    [
        (Component("pypi", "evil", "1", ("SSPL-1.0",)), "has SSPL-1.0"),
        (Component("pypi", "evil", "1", ("MIT AND SSPL-1.0",)), "has MIT AND SSPL-1.0"),
        (Component("pypi", "evil", "1", ("MIT", "SSPL-1.0")), "has SSPL-1.0"),
        (
            Component("pypi", "readline", "1", ("GPL-3.0-only",)),
            "has GPL-3.0-only",
        ),  # would be linked into ours
        (Component("golang", "example.org/gpl", "v1", ("GPL-3.0-only",)), "has GPL-3.0-only"),
        (Component("deb", "evil", "1", (), ("non-free",)), "has LicenseRef-Debian-non-free"),
        (Component("deb", "evil", "1", (), ("AGPL-3",)), "has AGPL-3.0-only"),
        (Component("deb", "other", "1", (), ("unknown",)), "has LicenseRef-Debian-unknown"),
        (Component("pypi", "evil", "1", (), ("Own licence\nAll rights reserved",)), "says 'Own licence'"),
        (Component("pypi", "evil", "1", ("MIT OR",)), "ends too early"),
        (Component("pypi", "silent", "1"), "says nothing about its licence"),
    ],
)
def test_a_bad_package_is_named(bad: Component, text: str) -> None:
    (found,) = problems([*GOOD, bad], POLICY)
    assert found.startswith(f"{bad} ") and text in found


@pytest.mark.parametrize("kind", ["deb", "pypi", "golang"])
def test_a_scan_without_a_kind_of_package_fails(kind: str) -> None:
    (found,) = problems([one for one in GOOD if one.kind != kind], POLICY)
    assert f"no {kind} package" in found


def test_an_empty_scan_fails() -> None:
    assert len(problems([], POLICY)) == 3


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("GPL-2+", "GPL-2.0-or-later"),
        ("GPL-2", "GPL-2.0-only"),
        ("GPLv3+", "GPL-3.0-or-later"),
        ("LGPL-2.1", "LGPL-2.1-only"),
        ("LGPL-3+", "LGPL-3.0-or-later"),
        ("GFDL-NIV-1.3+", "GFDL-1.3-no-invariants-or-later"),
        ("Expat", "MIT"),
        ("public-domain", "LicenseRef-Debian-public-domain"),
        ("GPL-2+-libtool-exception", "GPL-2.0-or-later WITH Libtool-exception"),
    ],
)
def test_debian_names_become_spdx(said: str, expected: str) -> None:
    component = Component("deb", "some", "1", (), (said,))
    assert spdx(component, POLICY) == [expected]
    assert problem(component, POLICY) is None


OVERRIDE = """
[alias]
[[override]]
kind = "pypi"
name = "quiet"
version = "1.*"
licence = "MIT"
written = "LICENSE"
[[override]]
kind = "pypi"
name = "vague"
version = "1.*"
licence = "BSD-3-Clause"
written = "LICENSE"
says = ["BSD"]
"""


@pytest.mark.parametrize(
    ("component", "applies"),
    [
        (Component("pypi", "quiet", "1.2"), True),
        (Component("pypi", "quiet", "2.0"), False),
        (Component("deb", "quiet", "1.2"), False),
        (Component("pypi", "quiet", "1.2", ("SSPL-1.0",)), False),  # it says something now
        (Component("pypi", "vague", "1.2", (), ("BSD",)), True),
        (Component("pypi", "vague", "1.2", (), ("BSD", "Proprietary")), False),
        (Component("pypi", "vague", "1.2"), False),
    ],
)
def test_an_override_holds_only_for_what_it_was_written_for(component: Component, applies: bool) -> None:
    policy = parse_policy("[*]\nMIT\nBSD-3-Clause\n", OVERRIDE)
    assert (problem(component, policy) is None) == applies
    assert len(unused_overrides([component], policy)) == 2 - applies


def test_every_override_says_where_the_licence_stands_and_is_allowed() -> None:
    for row in POLICY.overrides:
        package = Component(row.kind, row.name.replace("*", ""), "1", (row.licence,))
        assert row.written and problem(package, POLICY) is None, row


def test_the_command_lists_or_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = written(tmp_path / "good.json", GOOD)
    assert main(["--list", str(good)]) == 0
    assert "deb tini 0.19.0-1: MIT\n" in capsys.readouterr().out
    bad = written(tmp_path / "bad.json", [*GOOD, Component("pypi", "evil", "1", ("SSPL-1.0",))])
    assert main([str(bad)]) == 1
    assert "pypi evil 1 has SSPL-1.0" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "{}", "[", '{"bomFormat": "CycloneDX"}'])
def test_the_command_refuses_what_is_no_scan(text: str, tmp_path: Path) -> None:
    path = tmp_path / "sbom.json"
    path.write_text(text)
    assert main([str(path)]) == 1
    assert main([str(tmp_path / "none.json")]) == 1


def test_the_notice_names_the_copyleft_modules_that_the_policy_knows() -> None:
    modules = ["github.com/juju/errors", *(row.name for row in POLICY.overrides if "GPL" in row.licence)]
    assert [name for name in modules if name.startswith("github.com/") and name not in NOTICE] == []
    copyleft = copyleft_outside_debian(
        [*GOOD, Component("pypi", "autocommand", "2", (), ("LGPLv3",))], POLICY
    )
    assert copyleft == ["autocommand", "github.com/arduino/arduino-cli"]
    assert [name for name in copyleft if name not in NOTICE] == []


def written(path: Path, packages: list[Component]) -> Path:
    path.write_text(json.dumps({"bomFormat": "CycloneDX", "components": [entry(one) for one in packages]}))
    return path


def entry(one: Component) -> dict[str, Any]:
    licences = [{"expression": text} for text in one.expressions]
    licences += [{"license": {"name": text}} for text in one.names]  # type: ignore[dict-item]
    return {"name": one.name, "version": one.version, "purl": f"pkg:{one.kind}/x", "licenses": licences}
