"""Reading a bill of materials, and making its bytes depend on its content alone."""

import copy
from typing import Any

import pytest

from supply.sbom import Component, canonical, components, encode

DOCUMENT: dict[str, Any] = {
    "bomFormat": "CycloneDX",
    "serialNumber": "urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79",
    "metadata": {"timestamp": "2026-01-01T00:00:00Z", "component": {"bom-ref": "1f", "name": "sinehil"}},
    "components": [
        {
            "bom-ref": "b",
            "name": "github.com/a/b/v2",
            "version": "v2.1.0",
            "purl": "pkg:golang/github.com/a/b@v2.1.0#v2",
            "licenses": [{"license": {"id": "MIT"}}, {"license": {"name": " BSD\n"}}],
            "properties": [
                {"name": "syft:cpe23", "value": "cpe:x"},
                {"name": "syft:location:0:path", "value": "/b"},
            ],
        },
        {
            "bom-ref": "a",
            "name": "numpy",
            "version": "2.4.6",
            "purl": "pkg:pypi/numpy@2.4.6",
            "licenses": [{"expression": "BSD-3-Clause AND MIT"}],
        },
        {
            "bom-ref": "c",
            "name": "tini",
            "version": "0.19.0-1",
            "purl": "pkg:deb/debian/tini@0.19.0-1?arch=amd64",
        },
        {"bom-ref": "os", "type": "operating-system", "name": "debian", "version": "12"},
    ],
    "dependencies": [{"ref": "b", "dependsOn": ["c", "a"]}, {"ref": "a", "dependsOn": []}],
}


def test_packages_are_read() -> None:
    assert components(DOCUMENT) == [
        Component("golang", "github.com/a/b/v2", "v2.1.0", ("MIT",), ("BSD",)),
        Component("pypi", "numpy", "2.4.6", ("BSD-3-Clause AND MIT",)),
        Component("deb", "tini", "0.19.0-1"),
    ]


@pytest.mark.parametrize("document", [{}, {"bomFormat": "SPDX"}, {"spdxVersion": "SPDX-2.3"}])
def test_something_else_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="CycloneDX"):
        components(document)


def test_two_scans_of_the_same_packages_give_the_same_bytes() -> None:
    other = copy.deepcopy(DOCUMENT)
    other["serialNumber"] = "urn:uuid:00000000-0000-0000-0000-000000000000"
    other["metadata"]["timestamp"] = "2027-01-01T00:00:00Z"
    other["metadata"]["component"]["bom-ref"] = "2e"
    other["components"].reverse()
    other["dependencies"] = [{"ref": "a", "dependsOn": []}, {"ref": "b", "dependsOn": ["a", "c"]}]
    assert encode(canonical(other)) == encode(canonical(DOCUMENT))


def test_another_package_gives_other_bytes_and_another_serial_number() -> None:
    other = copy.deepcopy(DOCUMENT)
    other["components"][1]["version"] = "2.4.7"
    assert canonical(other)["serialNumber"] != canonical(DOCUMENT)["serialNumber"]


def test_canonical_keeps_the_packages_and_their_places() -> None:
    result = canonical(DOCUMENT)
    assert sorted(components(result), key=str) == sorted(components(DOCUMENT), key=str)
    assert "/b" in encode(result) and "cpe:x" not in encode(result) and "2026-01-01" not in encode(result)
    assert canonical(result) == result
