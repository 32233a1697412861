"""Read a CycloneDX software bill of materials, and write one whose bytes depend on nothing but its content.

``python3 -m supply.sbom < found.json > sbom.cdx.json`` is what docker/sbom.sh does with the scanner's output.
"""

import json
import sys
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Document = dict[str, Any]
NAMESPACE = uuid.UUID("6b1f6a3e-52c1-5d0c-9f3f-0f3a3c1f7a11")  # any fixed one will do
GUESSED = "syft:cpe23"  # a dozen spellings of every name: nine tenths of the file, and purl says it better


@dataclass(frozen=True)
class Component:
    """A package. ``expressions`` are SPDX, ``names`` is what else its metadata say about its licence."""

    kind: str  # the purl's type: deb, pypi, golang
    name: str
    version: str
    expressions: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind} {self.name} {self.version}"


def components(document: Mapping[str, Any]) -> list[Component]:
    """Return the packages of a CycloneDX JSON document; raise ValueError if it is not one.

    Entries without a purl (the operating system itself, single files) are no packages.
    """
    if document.get("bomFormat") != "CycloneDX":
        raise ValueError("not a CycloneDX document")
    return [_component(entry) for entry in document.get("components", []) if entry.get("purl")]


def _component(entry: Mapping[str, Any]) -> Component:
    kind = entry["purl"].removeprefix("pkg:").partition("/")[0]
    said = entry.get("licenses", [])
    licences = [choice["license"] for choice in said if "license" in choice]
    expressions = [choice["expression"] for choice in said if "expression" in choice]
    expressions += [licence["id"] for licence in licences if "id" in licence]
    names = [licence["name"].strip() for licence in licences if "id" not in licence]
    return Component(kind, entry["name"], entry.get("version", ""), tuple(expressions), tuple(names))


def canonical(document: Mapping[str, Any]) -> Document:
    """Return ``document`` sorted, without the time, the random number and the path that a scan puts into it.

    Its serial number is made from its content: the same packages have the same one.
    """
    result = {key: value for key, value in document.items() if key != "serialNumber"}
    result["metadata"] = _without_scan(document.get("metadata", {}))
    result["components"] = sorted(map(_without_guesses, document.get("components", [])), key=_reference)
    result["dependencies"] = sorted(map(_sorted_links, document.get("dependencies", [])), key=_reference)
    result["serialNumber"] = uuid.uuid5(NAMESPACE, encode(result)).urn
    return result


def encode(document: Mapping[str, Any]) -> str:
    """Return ``document`` as text, always the same for the same content."""
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _without_scan(metadata: Mapping[str, Any]) -> Document:
    kept = {key: value for key, value in metadata.items() if key != "timestamp"}
    if "component" in kept:
        kept["component"] = {**kept["component"], "bom-ref": "image"}  # the scanner hashes the folder's path
    return kept


def _without_guesses(component: Mapping[str, Any]) -> Document:
    properties = [item for item in component.get("properties", []) if item["name"] != GUESSED]
    return {**component, "properties": properties}


def _sorted_links(entry: Mapping[str, Any]) -> Document:
    return {**entry, "dependsOn": sorted(entry.get("dependsOn", []))}


def _reference(entry: Mapping[str, Any]) -> str:
    return str(entry.get("bom-ref", entry.get("ref", "")))


if __name__ == "__main__":
    sys.stdout.write(encode(canonical(json.load(sys.stdin))))
