"""Find arduino-cli on PATH or in the cache, else build it from the pinned Go module."""

import contextlib
import fcntl
import itertools
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sinehil.arduino.golang import BUILD_TIMEOUT_S, GO_MODULE, Go, Progress, go_for_build, numbers
from sinehil.base.folders import cache_dir, resource
from sinehil.base.tools import Finished, follow, run, tail
from sinehil.errors import ToolError

MODULE = "github.com/arduino/arduino-cli"
MINIMUM, BELOW = (1, 5), (2, 0)  # what the JSON output and the environment variables were tried with
HOW_TO_GET = "`sinehil compile` builds it on first use (network needed once), or put arduino-cli 1.5 on PATH"
LINES_A_STEP = 100


def pinned_version() -> str:
    """Return the arduino-cli version that go.mod pins, such as ``1.5.1``."""
    text = (resource(GO_MODULE) / "go.mod").read_text()
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
    """Return a suitable arduino-cli, built first if there is none; raise ToolError if it cannot be built.

    Of several processes that find none, one builds and the others wait for it.
    """
    found = find_arduino_cli()
    if found is not None:
        return found
    with _only_one_builder(progress):
        if not _cached().exists():
            with go_for_build(progress) as go:
                _build(_cached(), go, progress)
    return _cached()


def cli_version(program: Path) -> tuple[int, ...]:
    """Return the version an arduino-cli reports, (0,) if it reports none."""
    try:
        done = run([program, "version", "--json"], timeout_s=30)
        return numbers(json.loads(done.stdout)["VersionString"])
    except (ToolError, ValueError, KeyError, TypeError):
        return (0,)


def _cached() -> Path:
    return cache_dir() / "arduino-cli" / pinned_version() / "arduino-cli"


def _build(target: Path, go: Go, progress: Progress) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".build-", dir=target.parent) as folder:
        beside = Path(folder) / target.name
        done = _go_build(beside, go, progress)
        if done.code != 0:
            raise ToolError(
                "there is no arduino-cli, and it could not be built from its Go module",
                "check the network (or GOPROXY), or put arduino-cli 1.5 or newer on PATH",
                output=tail(done.stderr, 5),
            )
        beside.replace(target)


def _go_build(output: Path, go: Go, progress: Progress) -> Finished:
    progress(f"building arduino-cli {pinned_version()} from its Go module, once: a minute or two")
    count = itertools.count(1)

    def on_line(_: str) -> None:  # -v: a line for each module fetched and each package compiled
        number = next(count)
        if number % LINES_A_STEP == 0:
            progress(f"building arduino-cli: {number} modules and packages done")

    command: list[str | Path] = ["sh", resource(GO_MODULE) / "build.sh", go.program, output]
    return follow(command, on_line, env={**os.environ, **go.variables}, timeout_s=BUILD_TIMEOUT_S)


@contextlib.contextmanager
def _only_one_builder(progress: Progress) -> Iterator[None]:
    with (cache_dir() / "arduino-cli.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress("waiting for another sinehil that is building arduino-cli")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
