"""Options and helpers for all tests. ``--port`` runs the board tests on a real board instead of a virtual one."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from xdist.scheduler import LoadScopeScheduling

Cli = Callable[..., subprocess.CompletedProcess[str]]
MountTmpfs = Callable[..., Path]
NOT_PERMITTED = re.compile(
    "permission denied|not permitted|must be superuser", re.IGNORECASE
)  # mount(8), for EPERM


def pytest_configure() -> None:
    # A shell's background job ignores Ctrl-C, one under nohup the end of its terminal, and so would every program
    # that is started here to be interrupted.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--flood-seconds",
        type=float,
        default=1.0,
        help="how long each flood of a board lasts, in its own time",
    )
    parser.addoption("--port", help="serial port of a real Uno for the board tests")


class FileByFile(LoadScopeScheduling):  # type: ignore[misc]  # pytest-xdist has no types
    """Keeps a file's tests in one process where there are several, and all that use the one container engine."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        folder = file.rpartition("/")[0]
        return folder if folder.endswith("tests/container") else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> FileByFile:
    return FileByFile(config, log)


def cli_in(home: Path) -> Cli:
    """Return what runs ``sinehil`` as a person would, in a folder of its own."""

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


def need_namespaces(*flags: str) -> None:
    """Skip where we may not have namespaces of our own, as in a container, even as root."""
    done = subprocess.run(["unshare", *flags, "true"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"no namespaces here: {done.stderr.strip()}")


@pytest.fixture(scope="session")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    return cli_in(tmp_path_factory.mktemp("bench"))


def not_mounted(words: str) -> NoReturn:
    """Skip where a container keeps root from mounting; in CI, fail for any other reason, or nobody would notice."""
    if os.environ.get("CI") == "true" and not NOT_PERMITTED.search(words):
        pytest.fail(f"root cannot mount here: {words}", pytrace=False)
    pytest.skip(f"root may not mount here: {words}")


@pytest.fixture
def mount_tmpfs(tmp_path: Path) -> Iterator[MountTmpfs]:
    """Mount a tmpfs, or another kind, with the given options and return where; it goes with the test."""
    if os.getuid() != 0:
        pytest.skip("mounting a file system needs root")
    mounted: list[Path] = []

    def mount(options: str, kind: str = "tmpfs") -> Path:
        folder = tmp_path / f"tmpfs{len(mounted)}"
        folder.mkdir()
        command = ["mount", "-t", kind, "-o", options, kind, str(folder)]
        done = subprocess.run(
            command, env={**os.environ, "LC_ALL": "C"}, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            not_mounted(done.stderr.strip())
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", folder], check=True)
