"""Options and helpers for all tests. ``--port`` runs the board tests on a real board instead of a virtual one."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Cli = Callable[..., subprocess.CompletedProcess[str]]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--port", help="serial port of a real Uno for the board tests")


@pytest.fixture(scope="session")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """Run ``sinehil`` as a person would, in a folder of its own."""
    home = tmp_path_factory.mktemp("bench")

    def run(
        *words: object, env: dict[str, str] | None = None, cwd: Path = home
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "sinehil", *map(str, words)],
            cwd=cwd,
            env={**os.environ, **(env or {})},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return run
