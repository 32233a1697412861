"""A container engine and a base image, found or made once for all tests."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.container.base_image import provide_base_image
from tests.container.engine import Engine, open_engine, state_folder
from tests.container.refusal import CannotRunError, refuse
from tests.container.wrapper import TARGETS, Wrapper, copy_tree, wrapper_in


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """An engine that builds and runs containers; one of our own ends with the session."""
    with ExitStack() as stack:
        try:
            opened = stack.enter_context(open_engine(state_folder(os.environ), os.environ))
        except CannotRunError as reason:
            refuse(reason, os.environ)
        yield opened


@pytest.fixture(scope="session")
def base_image(engine: Engine) -> str:
    """The name of an image like debian:bookworm-slim, for ``BASE_IMAGE``."""
    try:
        return provide_base_image(engine)
    except CannotRunError as reason:
        refuse(reason, os.environ)


@pytest.fixture(scope="session")
def wrapper(engine: Engine, base_image: str) -> Iterator[Wrapper]:
    """A copy of the tree, which is where the tests call docker/sinehil.sh.

    It is not below pytest's folders, because those are closed to other users.
    """
    with tempfile.TemporaryDirectory(prefix="sinehil-") as name:
        Path(name).chmod(0o755)
        yield wrapper_in(copy_tree(Path(name)), engine, base_image)


@pytest.fixture(scope="session")
def rig(wrapper: Wrapper) -> Wrapper:
    """The image without TensorFlow, built by docker/sinehil.sh."""
    return _built(wrapper, "rig")


@pytest.fixture(scope="session")
def images(wrapper: Wrapper) -> Wrapper:
    """Both images, built by docker/sinehil.sh."""
    for target in TARGETS:
        _built(wrapper, target)
    return wrapper


def _built(wrapper: Wrapper, target: str) -> Wrapper:
    built = wrapper(target, "--version")
    assert built.returncode == 0, built.stderr
    return wrapper


@pytest.fixture(scope="session")
def trained(images: Wrapper) -> Path:
    """The tree's artefact folder, filled by ``make docker-train``."""
    done = images.call("make", "docker-train")
    assert done.returncode == 0, done.stderr
    assert "sha256" in done.stdout
    return images.tree / "artifacts"
