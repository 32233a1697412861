"""What a build does again after a change, and that building again gives the same."""

import re
import shlex
import uuid
from pathlib import Path

import pytest

from sinehil import __version__
from sinehil.base.tools import Finished
from tests.container.engine import Engine
from tests.container.wrapper import TARGETS, Wrapper, copy_tree

pytestmark = [pytest.mark.extended, pytest.mark.container, pytest.mark.slow, pytest.mark.timeout(2400)]

FINGERPRINT = """
set -e
sinehil compile > /dev/null
sha256sum build/*/out/*.hex /usr/local/bin/arduino-cli /usr/share/doc/sinehil/sbom.cdx.json /opt/sinehil/prebuilt/bin/*
"""
HEAVY = re.compile(r"install-debian-packages|python-packages|build\.sh|pip install|sbom")


@pytest.mark.parametrize("target", TARGETS)
def test_a_change_in_hil_rebuilds_only_the_last_layers(
    images: Wrapper, engine: Engine, tmp_path: Path, target: str
) -> None:
    tree = copy_tree(tmp_path)
    with (tree / "hil/sinehil/__init__.py").open("a") as file:
        file.write(f"# changed {uuid.uuid4()}\n")
    log = rebuilt(images, engine, tree, f"sinehil-changed:{target}", "--target", target).stderr
    engine.docker("rmi", f"sinehil-changed:{target}")
    steps = dict(re.findall(r"^#(\d+) (\[.*)$", log, re.MULTILINE))
    cached = set(re.findall(r"^#(\d+) CACHED$", log, re.MULTILINE))
    heavy = {number for number, text in steps.items() if HEAVY.search(text)}
    wheel = {number for number, text in steps.items() if "hatchling build" in text}
    assert len(heavy) >= 6 and heavy <= cached, log
    assert len(wheel) == 1 and not wheel & cached, log  # the control: something was built anew


def rebuilt(images: Wrapper, engine: Engine, tree: Path, tag: str, *options: object) -> Finished:
    """Build ``tree`` as docker/sinehil.sh does, under another name."""
    flags = shlex.split(images.environment["DOCKER_BUILD_FLAGS"])
    version = ("--build-arg", f"VERSION={__version__}", "--progress", "plain")
    words = (*flags, *version, *options, "--file", tree / "docker/Dockerfile")
    return engine.build(tree, tag, *words, base_image=images.environment["BASE_IMAGE"])


@pytest.mark.usefixtures("trained")
def test_building_again_from_nothing_gives_the_same(images: Wrapper, engine: Engine, tmp_path: Path) -> None:
    """Packages of every kind, arduino-cli, the board's programs, and the firmware that comes out."""
    tree = copy_tree(tmp_path)
    again = "sinehil-again:rig"
    rebuilt(images, engine, tree, again, "--no-cache", "--target", "rig")
    mount = ("--volume", f"{images.tree}/artifacts:/bench/artifacts:ro")
    found = [
        engine.run(image, "-c", FINGERPRINT, options=(*mount, "--network", "none", "--entrypoint", "bash"))
        for image in ("sinehil:rig", again)
    ]
    engine.docker("rmi", again)
    assert found[0].stdout.count("\n") >= 6 and found[0].stdout == found[1].stdout
