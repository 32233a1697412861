"""The locks against what they are made from."""

import re
import tomllib
from pathlib import Path

import pytest

from sinehil.arduino.debian_packages import FIRMWARE_TOOLS
from sinehil.arduino.toolchain import MODULE, pinned_version
from supply.debian_lock import (
    FIRMWARE_PACKAGES,
    LOCK,
    firmware_differences,
    installed_versions,
    listed_packages,
    main,
    parse_lock,
    unlocked,
)
from supply.lock_go import TOOLS, replacements
from supply.sbom import Component

DOCKER = LOCK.parent
LISTS = [DOCKER / f"debian-packages{part}.txt" for part in ("", "-image")]
LOCKED = parse_lock(LOCK.read_text())


def test_the_lock_covers_every_list_for_the_images() -> None:
    for path in LISTS:
        assert unlocked(LOCKED, listed_packages(path.read_text())) == [], f"{path.name}: run `make lock`"


def test_every_tool_of_the_firmware_is_locked() -> None:
    tools = {requirement.package for requirement in FIRMWARE_TOOLS}
    assert tools < set(FIRMWARE_PACKAGES) and unlocked(LOCKED, FIRMWARE_PACKAGES) == []


def test_a_list_with_something_new_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("avrdude  # uploads\n\n# a comment\n")
    assert main([str(path)]) == 0
    path.write_text("avrdude\nno-such-package\n")
    assert main([str(path)]) == 1
    assert unlocked(LOCKED, listed_packages(path.read_text())) == ["no-such-package"]


def test_only_firmware_packages_must_have_the_locked_version() -> None:
    image = [Component("deb", name, version) for name, version in LOCKED.items()]
    image += [Component("pypi", "avrdude", "0"), Component("deb", "bash", "9")]
    versions = installed_versions(image)
    assert firmware_differences(LOCKED, versions) == []
    assert firmware_differences(LOCKED, {**versions, "libc6": "9.9"}) == []


@pytest.mark.parametrize("name", FIRMWARE_PACKAGES)
def test_another_version_of_a_firmware_package_is_named(name: str) -> None:
    (other,) = firmware_differences(LOCKED, {**LOCKED, name: "1:0.0"})
    assert other == f"{name} is 1:0.0, the lock says {LOCKED[name]}"
    without = {package: version for package, version in LOCKED.items() if package != name}
    (missing,) = firmware_differences(LOCKED, without)
    (unknown,) = firmware_differences(without, LOCKED)
    assert f"{name} is missing" in missing and "the lock says nothing" in unknown


@pytest.mark.parametrize("group", ["audit", "go", "sbom"])
def test_a_group_of_its_own_is_locked_and_not_in_the_images(group: str) -> None:
    (wanted,) = pyproject()["dependency-groups"][group]
    name = re.split("[<>=]", wanted)[0]
    assert f"\n{name}==" in "\n" + (DOCKER / f"requirements-{group}.txt").read_text()
    assert f"\n{name}==" not in (DOCKER / "requirements-train.txt").read_text()


def test_the_build_lock_has_the_build_backend() -> None:
    assert set(pyproject()["build-system"]["requires"]) <= set(pins("build"))


@pytest.mark.parametrize("name", ["build", "rig", "train"])
def test_the_dev_lock_has_all_that_is_in_a_smaller_one(
    name: str,
) -> None:  # so `make audit` asks for it alone
    assert pins(name) and pins(name).items() <= pins("dev").items()


@pytest.mark.parametrize("folder", TOOLS)
def test_a_go_module_pins_its_tool_with_hashes(folder: str) -> None:
    text = (DOCKER / folder / "go.mod").read_text()
    assert f"\ntool {TOOLS[folder]}\n" in text
    assert (DOCKER / folder / "go.sum").read_text().count(" h1:") > text.count("// indirect")


def test_replacements_are_read_in_both_forms() -> None:
    single = "module x\n\nreplace github.com/a/b => github.com/c/b v0.8.1\n"
    block = "replace (\n\tgithub.com/a/b => github.com/c/b v0.8.1\n\tgithub.com/d v1.0.0 => github.com/e v1.1.0\n)\n"
    assert replacements(single) == {"github.com/a/b => github.com/c/b v0.8.1"}
    assert replacements(block) == replacements(single) | {"github.com/d v1.0.0 => github.com/e v1.1.0"}
    assert replacements("require github.com/a/b v1.0.0 // indirect\n") == set()


def test_the_notice_repeats_no_version() -> None:
    notice = (DOCKER / "NOTICE.md").read_text()
    assert MODULE in notice and pinned_version() not in notice
    assert [version for version in LOCKED.values() if version in notice] == []


def pyproject() -> dict[str, dict[str, list[str]]]:
    return tomllib.loads((DOCKER.parent / "pyproject.toml").read_text())


def pins(name: str) -> dict[str, str]:
    text = (DOCKER / f"requirements-{name}.txt").read_text()
    return dict(re.findall(r"^([a-z0-9][\w.-]*)==(\S+)", text, re.MULTILINE))
