"""Running outside tools: their words are kept, their failures get a name, and none outlives an interruption."""

import contextlib
import json
import math
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sinehil.deadline import Deadline
from sinehil.errors import ToolError

OUTPUT_LINES = 40
END_TIMEOUT_S = 2.0
END_POLL_S = 0.01
WATCH_S = 0.2
ENDED = "ZX"  # states in proc(5): what has ended and waits for its parent
Command = Sequence[str | Path]


@dataclass(frozen=True)
class Finished:
    """What a tool that ran left behind."""

    code: int
    stdout: str
    stderr: str


def run(
    command: Command,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout_s: float | None = None,
    watch: Callable[[int], None] | None = None,
) -> Finished:
    """Run ``command`` to its end; raise ToolError if it cannot be started or takes longer than ``timeout_s``.

    ``watch`` is called every ``WATCH_S`` meanwhile with the tool's session; what it raises ends the tool.
    """
    deadline = Deadline.after(math.inf if timeout_s is None else timeout_s)
    with _started(command, env, cwd, stderr=subprocess.PIPE) as process:
        while True:
            wait_s = min(deadline.remaining_s, WATCH_S if watch else math.inf)
            try:
                stdout, stderr = process.communicate(timeout=None if wait_s == math.inf else wait_s)
                return Finished(process.returncode, stdout, stderr)
            except subprocess.TimeoutExpired:
                if deadline.expired:
                    raise _too_slow(command, timeout_s) from None
            if watch:
                watch(process.pid)


def follow(
    command: Command,
    on_line: Callable[[str], None],
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    end_timeout_s: float = END_TIMEOUT_S,
) -> Finished:
    """Run ``command`` to its end and hand over each line of its talk at once; it is kept as ``stderr`` too.

    When an exception passes through, the tool gets ``end_timeout_s`` to end by itself.
    """
    lines: list[str] = []
    with _started(command, env, cwd, stderr=subprocess.STDOUT, end_timeout_s=end_timeout_s) as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            on_line(line.rstrip())
        process.wait()
    return Finished(process.returncode, "", "".join(lines))


def _too_slow(command: Command, timeout_s: float | None) -> ToolError:
    return ToolError(f"{command[0]} did not finish within {timeout_s:g} s", "run the command again")


def json_object(text: str) -> dict[str, Any]:
    """Return the JSON object in a tool's words, empty if they are something else."""
    try:
        document = json.loads(text)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def programs_in(session: int) -> list[str]:
    """Return the names of the programs that run in a session."""
    return [stat.partition("(")[2].rpartition(")")[0] for stat in _members(session) if _field(stat, 0) != "Z"]


def tail(text: str, lines: int = OUTPUT_LINES) -> str:
    """Return the last lines of a tool's words, enough to see why it failed."""
    return "\n".join(text.strip().splitlines()[-lines:])


@contextlib.contextmanager
def _started(
    command: Command,
    env: Mapping[str, str] | None,
    cwd: Path | None,
    stderr: int,
    end_timeout_s: float = END_TIMEOUT_S,
) -> Iterator[subprocess.Popen[str]]:
    """Start a tool in a session of its own; when an exception passes through, Ctrl-C included, end all of it.

    arduino-cli starts compilers and avrdude, each in a process group of its own, which would go on if only
    arduino-cli or its group were killed.
    """
    try:
        process = subprocess.Popen(
            [str(word) for word in command],
            env=None if env is None else dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        raise ToolError(
            f"{command[0]} cannot be run: {error.strerror}", "`sinehil doctor` says what is missing"
        ) from error
    try:
        yield process
    except BaseException:
        _end_session(process, end_timeout_s)
        raise
    finally:
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def _end_session(process: subprocess.Popen[str], timeout_s: float) -> None:
    _signal_session(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout_s)
    deadline = Deadline.after(END_TIMEOUT_S)
    while _signal_session(process.pid, signal.SIGKILL) and not deadline.expired:
        time.sleep(END_POLL_S)  # again, since one may have started another meanwhile
    process.wait()


def _signal_session(session: int, number: signal.Signals) -> bool:
    """Return whether a process of the session was alive."""
    living = [stat for stat in _members(session) if _field(stat, 0) not in ENDED]
    for stat in living:
        with contextlib.suppress(OSError):  # ended meanwhile
            os.kill(int(stat.split(" ", 1)[0]), number)
    return bool(living)


def _members(session: int) -> Iterator[str]:
    """Yield the stat line of every process of a session; see proc(5)."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # ended meanwhile
            stat = path.read_text()
            if int(_field(stat, 3)) == session:
                yield stat


def _field(stat: str, number: int) -> str:
    """Return a field of a stat line, counted behind the name, which may hold anything."""
    return stat.rpartition(")")[2].split()[number]
