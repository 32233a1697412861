"""docker/sinehil.sh where something is missing, forbidden, broken or interrupted: one sentence and its exit code."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.container.engine import Engine
from tests.container.wrapper import Wrapper, copy_tree

pytestmark = [pytest.mark.extended, pytest.mark.container, pytest.mark.slow, pytest.mark.timeout(2400)]

SOMEBODY = 4321


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that others reach; pytest's own are closed to them."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture
def somebody(images: Wrapper, engine: Engine, public_folder: Path) -> Wrapper:
    """A user without any right but to use the engine's socket, whose home is ``public_folder``."""
    address = engine.environment.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")
    socket = public_folder / "docker.sock"
    os.link(address, socket)  # the folder it is in is closed to others
    os.chown(public_folder, SOMEBODY, SOMEBODY)
    path = f"{Path(engine.client).parent}:{os.defpath}"
    at_home = images.having(HOME=str(public_folder), PATH=path, DOCKER_HOST=f"unix://{socket}")
    return at_home.as_user(SOMEBODY, socket.stat().st_gid)


def test_whoever_calls_owns_what_is_written(somebody: Wrapper, public_folder: Path) -> None:
    done = somebody("train", "train", cwd=public_folder)
    assert done.returncode == 0, done.stderr
    written = list((public_folder / "artifacts").rglob("*"))
    assert len(written) >= 19 and {path.stat().st_uid for path in written} == {SOMEBODY}


def test_a_folder_that_cannot_be_written(somebody: Wrapper, public_folder: Path) -> None:
    os.chown(public_folder, 0, 0)
    done = somebody("train", "train", cwd=public_folder)
    assert done.returncode == 6 and done.stderr.startswith(
        f"sinehil: cannot make {public_folder}/artifacts\n"
    )


def test_no_permission_for_the_engine(somebody: Wrapper, public_folder: Path) -> None:
    done = somebody.as_user(SOMEBODY)("train", "train", cwd=public_folder)
    assert done.returncode == 5, done.stderr
    assert "no permission to use the container engine's socket" in done.stderr and "usermod" in done.stderr


def test_no_docker_at_all(images: Wrapper, tmp_path: Path) -> None:
    for name in ("bash", "sed", "dirname", "git"):
        (tmp_path / name).symlink_to(shutil.which(name) or name)
    done = images.having(PATH=str(tmp_path))("train", "train")
    assert (
        done.returncode == 5 and "there is no container engine" in done.stderr and "make demo" in done.stderr
    )


def test_an_engine_that_does_not_answer(images: Wrapper, tmp_path: Path) -> None:
    done = images.having(DOCKER_HOST=f"unix://{tmp_path}/nothing.sock")("train", "train")
    assert done.returncode == 5 and "the container engine does not answer" in done.stderr


def test_an_engine_without_buildkit(images: Wrapper, engine: Engine, tmp_path: Path) -> None:
    """The real client and engine, held to the classic builder, as a client without its plugin is."""
    docker = tmp_path / "docker"
    docker.write_text(f'#!/bin/sh\nDOCKER_BUILDKIT=0 exec {engine.client} "$@"\n')
    docker.chmod(0o755)
    path = f"{tmp_path}:{images.environment['PATH']}"
    done = images.having(PATH=path, DOCKER_BUILD_FLAGS="--no-cache")("rig", "--version")
    assert done.returncode == 5 and "builds without BuildKit" in done.stderr, done.stderr


def test_a_base_image_that_cannot_be_had(images: Wrapper) -> None:
    done = images.having(BASE_IMAGE="localhost/no-such:image")("rig", "--version")
    assert done.returncode == 5
    assert "sinehil: the base image localhost/no-such:image cannot be had\n  next: " in done.stderr


def test_a_build_that_fails_shows_the_engine_s_words(images: Wrapper, tmp_path: Path) -> None:
    tree = copy_tree(tmp_path)
    (tree / "docker/debian-packages-image.txt").write_text("no-such-package\n")
    done = Wrapper(tree, images.environment)("rig", "--version")
    assert done.returncode == 5 and "no-such-package" in done.stderr
    assert "the image sinehil:rig could not be built\n  next: " in done.stderr


def test_ctrl_c_during_a_build(images: Wrapper) -> None:
    flags = f"{images.environment['DOCKER_BUILD_FLAGS']} --no-cache"
    script = subprocess.Popen(
        [images.tree / "docker/sinehil.sh", "rig", "--version"],
        cwd=images.tree,
        env={**images.environment, "DOCKER_BUILD_FLAGS": flags},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait = f"until pgrep --session {script.pid} --full 'docker build' > /dev/null; do sleep 0.05; done"
    subprocess.run(["bash", "-c", wait], timeout=60, check=True)
    os.killpg(script.pid, signal.SIGINT)
    _, said = script.communicate(timeout=120)
    assert script.returncode == 130 and said.startswith("sinehil: interrupted; the next build goes on")
