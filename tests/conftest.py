"""Options and helpers for all tests. ``--port`` runs the board tests on a real board instead of a virtual one."""

import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from xdist.scheduler import LoadScopeScheduling

from tests.durations import read_durations

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
        return scope_of(nodeid)


def scope_of(nodeid: str) -> str:
    """Return what stays in one process: a test's file, or the folder of those about containers."""
    file = nodeid.partition("::")[0]
    folder = file.rpartition("/")[0]
    return folder if folder.endswith("tests/container") else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> FileByFile:
    return FileByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take longest first, those that share the one container engine together."""
    seconds = read_durations()
    of_scope: dict[str, float] = {}
    for file, taken in seconds.items():
        of_scope[scope_of(file)] = of_scope.get(scope_of(file), 0.0) + taken
    items.sort(key=lambda item: (-of_scope.get(scope_of(item.nodeid), 0.0), scope_of(item.nodeid)))


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


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """Return a folder that ``make`` fills once for all processes of this run; a failure is tried again by the next."""
    root = factory.getbasetemp()
    shared = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root
    folder, done = shared / name, shared / f"{name}.done"
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            done.touch()
    return folder


@pytest.fixture(scope="session")
def book_artifacts(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that ``sinehil train`` fills, made once for all processes of this run: to be read only."""

    def train(folder: Path) -> None:
        done = cli("train", "--out", folder)
        assert done.returncode == 0, done.stderr

    return made_once(tmp_path_factory, "book", train)


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
