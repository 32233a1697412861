"""Commands whose processes can be found again, by a mark in the environment that all of them inherit."""

import contextlib
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

PF_EXITING = 4  # linux/sched.h
MARK = "SINEHIL_TEST_RUN"


@dataclass(frozen=True)
class Run:
    """A running ``sinehil --json`` command; every process it starts carries ``mark`` in its environment."""

    process: subprocess.Popen[str]
    mark: str

    def say_until(self, stage: str) -> None:
        """Return when the line of ``stage`` has come on stderr."""
        assert self.process.stderr is not None
        assert any(line.startswith(stage) for line in self.process.stderr), f"{stage} never ended"

    def programs(self) -> list[str]:
        """Return the names of the marked processes that run; one that has ended and waits for init does not."""
        return [name for _, name in self.living()]

    def living(self) -> list[tuple[int, str]]:
        """Return numbers and names of the same."""
        return [(pid, name) for pid, name, environment in living() if f"{MARK}={self.mark}" in environment]

    def runs(self, program: str) -> Callable[[], bool]:
        return lambda: program in self.programs()


@contextlib.contextmanager
def started(*words: object, cwd: Path) -> Iterator[Run]:
    mark = uuid.uuid4().hex
    command = [sys.executable, "-m", "sinehil", *map(str, words), "--json"]
    environment = {**os.environ, MARK: mark}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, cwd=cwd, env=environment, **pipes) as process:  # type: ignore[call-overload]
        try:
            yield Run(process, mark)
        finally:
            process.kill()


def living() -> Iterator[tuple[int, str, list[str]]]:
    """Yield number, name and environment of every process that runs and has no SIGKILL coming."""
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            stat, environment = (folder / "stat").read_text(), (folder / "environ").read_bytes()
            if not is_ending(stat, (folder / "status").read_text()):
                name = stat.partition("(")[2].rpartition(")")[0]
                yield int(folder.name), name, environment.decode(errors="replace").split("\0")


def is_ending(stat: str, status: str) -> bool:
    """Whether /proc says: a zombie, on its way out, or killed and not yet run since."""
    fields = stat.rpartition(")")[2].split()
    pending = [
        int(line.split()[1], 16) for line in status.splitlines() if line.startswith(("SigPnd", "ShdPnd"))
    ]
    killed = any(signals >> (signal.SIGKILL - 1) & 1 for signals in pending)
    return fields[0] == "Z" or bool(int(fields[6]) & PF_EXITING) or killed
