"""Run outside tools: keep their output, name their failures, and let none outlive an interruption."""

import contextlib
import json
import logging
import math
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sinehil.base import tool_session as keeper
from sinehil.base.deadline import Deadline
from sinehil.base.tool_session import field, members, signal_session
from sinehil.errors import ToolError

OUTPUT_LINES = 40
TIMEOUT_S = 600.0  # no compiler takes as long; what does hangs
START_TIMEOUT_S = 60.0  # of the keeper, which is there in a twentieth of a second
END_TIMEOUT_S = 2.0
END_POLL_S = 0.01
WATCH_S = 0.2
KEEPER = (sys.executable, "-I", "-S", keeper.__file__)
Command = Sequence[str | Path]

log = logging.getLogger(__name__)


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
    timeout_s: float = TIMEOUT_S,
    watch: Callable[[int], None] | None = None,
) -> Finished:
    """Run ``command`` to its end; raise ToolError if it cannot be started or takes longer than ``timeout_s``.

    ``watch`` is called every ``WATCH_S`` meanwhile with the tool's session; what it raises ends the tool.
    """
    started_s, deadline = time.monotonic(), Deadline.after(timeout_s)
    with _started(command, env, cwd, stderr=subprocess.PIPE) as process:
        while True:
            wait_s = min(deadline.remaining_s, WATCH_S if watch else math.inf)
            try:
                stdout, stderr = process.communicate(timeout=wait_s)
                return _finished(command, started_s, Finished(process.returncode, stdout, stderr))
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
    timeout_s: float | None = None,
) -> Finished:
    """Run ``command`` to its end and hand over each line of its talk at once; it is kept as ``stderr`` too.

    When an exception passes through, the tool gets ``end_timeout_s`` to end by itself. Raises ToolError if it cannot
    be started or takes longer than ``timeout_s``; None is for what a person ends.
    """
    lines, started_s = list[str](), time.monotonic()
    with (
        _started(command, env, cwd, stderr=subprocess.STDOUT, end_timeout_s=end_timeout_s) as process,
        _killed_after(timeout_s, process.pid) as late,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            on_line(line.rstrip())
        process.wait()
    if timeout_s is not None and late.is_set():
        raise _too_slow(command, timeout_s)
    return _finished(command, started_s, Finished(process.returncode, "", "".join(lines)))


def _finished(command: Command, started_s: float, done: Finished) -> Finished:
    took_s = time.monotonic() - started_s
    log.info("exit code %d after %.2f s: %s", done.code, took_s, shlex.join(map(str, command)))
    return done


@contextlib.contextmanager
def _killed_after(timeout_s: float | None, session: int) -> Iterator[threading.Event]:
    """Kill a session when the time is up, which ends the reading of its words too; the event says that it was."""
    late = threading.Event()

    def kill() -> None:
        late.set()
        signal_session(session, signal.SIGKILL)

    if timeout_s is None:
        yield late
        return
    timer = threading.Timer(timeout_s, kill)
    timer.daemon = True
    timer.start()
    try:
        yield late
    finally:
        timer.cancel()


def _too_slow(command: Command, timeout_s: float) -> ToolError:
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
    return [stat.partition("(")[2].rpartition(")")[0] for stat in members(session) if field(stat, 0) != "Z"]


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
    arduino-cli or its group were killed. If we are killed, the tool's keeper ends them all.
    """
    log.debug("start: %s", shlex.join(map(str, command)))
    ours, theirs = socket.socketpair()  # theirs gets an end of file when we end, however we do
    with ours:
        with theirs:
            process = _popen([*KEEPER, *command], env, cwd, theirs.fileno(), stderr)
        try:
            _require_start(command, ours)
            yield process
        except BaseException:
            _end_session(process, end_timeout_s)
            raise
        finally:
            for pipe in (process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()


def _popen(
    command: Command, env: Mapping[str, str] | None, cwd: Path | None, stdin: int, stderr: int
) -> subprocess.Popen[str]:
    try:
        return subprocess.Popen(
            [str(word) for word in command],
            env=None if env is None else dict(env),
            cwd=cwd,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        raise _not_run(command[len(KEEPER) :], error.strerror or str(error)) from error


def _require_start(command: Command, keeper_says: socket.socket) -> None:
    keeper_says.settimeout(START_TIMEOUT_S)
    try:
        errno = keeper_says.recv(16).strip()
    except TimeoutError:
        raise _not_run(command, f"its keeper did not start it within {START_TIMEOUT_S:g} s") from None
    if errno != b"0":
        raise _not_run(command, os.strerror(int(errno)) if errno else "its keeper ended")


def _not_run(command: Command, why: str) -> ToolError:
    return ToolError(f"{command[0]} cannot be run: {why}", "`sinehil doctor` says what is missing")


def _end_session(process: subprocess.Popen[str], timeout_s: float) -> None:
    signal_session(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout_s)
    deadline = Deadline.after(END_TIMEOUT_S)
    while signal_session(process.pid, signal.SIGKILL) and not deadline.expired:
        time.sleep(END_POLL_S)  # again, since one may have started another meanwhile
    process.wait()
