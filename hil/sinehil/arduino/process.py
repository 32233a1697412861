"""Running outside tools: their words are kept, their failures get a name, Ctrl-C ends them too."""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sinehil.errors import ToolError

OUTPUT_LINES = 40


@dataclass(frozen=True)
class Finished:
    """What a tool that ran left behind."""

    code: int
    stdout: str
    stderr: str


def run(
    command: Sequence[object],
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    timeout_s: float | None = None,
) -> Finished:
    """Run ``command`` to its end; raise ToolError if it cannot be started or takes longer than ``timeout_s``."""
    try:
        done = subprocess.run(  # kills and reaps the tool when an exception, Ctrl-C included, passes through
            [str(word) for word in command],
            env=None if env is None else dict(env),
            cwd=cwd,
            timeout=timeout_s,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except FileNotFoundError as error:
        raise ToolError(f"{command[0]} is not installed", "`sinehil doctor` says how to get it") from error
    except subprocess.TimeoutExpired as error:
        raise ToolError(
            f"{command[0]} did not finish within {timeout_s:g} s", "run the command again"
        ) from error
    return Finished(done.returncode, done.stdout, done.stderr)


def tail(text: str, lines: int = OUTPUT_LINES) -> str:
    """Return the last lines of a tool's words, enough to see why it failed."""
    return "\n".join(text.strip().splitlines()[-lines:])
