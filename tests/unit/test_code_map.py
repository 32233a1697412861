"""CODE_MAP.md against the tree: every room has its line, every path exists, the diagram's order is import-linter's."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "CODE_MAP.md").read_text()
PACKAGES = ("hil/sinehil", "hil/sinehil_audit", "pipeline/sinehil_kernels", "pipeline/sinehil_pipeline")


def rows(text: str) -> list[str]:
    return re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE)


def folders() -> set[str]:
    inits = (path for package in PACKAGES for path in (ROOT / package).rglob("__init__.py"))
    return {f"{path.parent.relative_to(ROOT)}/" for path in inits}


def missing_rooms(text: str) -> set[str]:
    return folders() - {"hil/sinehil/"} - set(rows(text))


def test_every_room_has_its_line() -> None:
    assert missing_rooms(TEXT) == set() and len(rows(TEXT)) == len(set(rows(TEXT)))


def test_a_room_without_a_line_is_noticed() -> None:
    assert missing_rooms(TEXT.replace("| `hil/sinehil/verify/` |", "| |")) == {"hil/sinehil/verify/"}


def test_every_path_exists() -> None:
    paths = re.findall(r"`([\w./]+/[\w./]*|[\w]+\.(?:md|py))`", TEXT)
    named = [path for path in paths if "/" in path]
    assert len(named) > 60 and [path for path in named if not (ROOT / path).exists()] == []


def test_the_rooms_stand_in_the_order_of_the_import_rules() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = settings["contracts"][0]["layers"]
    names = [name for layer in layers for name in layer.split(" | ")]
    modules = [row.rstrip("/").removesuffix(".py").split("/", 1)[1].replace("/", ".") for row in rows(TEXT)]
    assert [module for module in modules if module in names] == names
