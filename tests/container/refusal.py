"""Why container tests cannot run here, and what follows from that."""

from collections.abc import Mapping
from typing import NoReturn

import pytest


class CannotRunError(Exception):
    """This machine cannot run containers; the message is one sentence for people."""


def refuse(reason: CannotRunError, environ: Mapping[str, str]) -> NoReturn:
    """Skip the test; where ``CI=true``, fail it, or nobody would notice that nothing was tested."""
    if environ.get("CI") == "true":
        pytest.fail(f"could not run: {reason}", pytrace=False)
    pytest.skip(f"could not run: {reason}")
