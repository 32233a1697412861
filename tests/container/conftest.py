"""A container engine and a base image, found or made once for all tests."""

import os
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.container.base_image import provide_base_image
from tests.container.engine import Engine, open_engine, state_folder
from tests.container.refusal import CannotRunError, refuse


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
