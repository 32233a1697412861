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
def images(engine: Engine, base_image: str) -> Iterator[Wrapper]:
    """Both images, built by docker/sinehil.sh in a copy of the tree, which is where the tests call it.

    The copy is not below pytest's folders, because those are closed to other users.
    """
    with tempfile.TemporaryDirectory(prefix="sinehil-") as name:
        Path(name).chmod(0o755)
        wrapper = wrapper_in(copy_tree(Path(name)), engine, base_image)
        for target in TARGETS:
            built = wrapper(target, "--version")
            assert built.returncode == 0, built.stderr
        yield wrapper


@pytest.fixture(scope="session")
def trained(images: Wrapper) -> Path:
    """The tree's artefact folder, filled by ``make docker-train``."""
    done = images.call("make", "docker-train")
    assert done.returncode == 0, done.stderr
    assert "sha256" in done.stdout
    return images.tree / "artifacts"
