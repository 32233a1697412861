"""Run a tool in a session of its own; end the whole session when the tool, or whoever started it, has ended.

SIGKILL gives nobody time to clean up, and a death signal (prctl(2), PR_SET_PDEATHSIG) reaches children only, not
avrdude beneath arduino-cli, which would go on writing to the board. So this small program stands between: its standard
input is a socket that nobody but its parent holds, and closes with it. Run as a script, without the package.
"""

import contextlib
import os
import select
import signal
import sys
import time
from collections.abc import Iterator

POLL_S = 0.01
ENDED = "ZX"  # states in proc(5): what has ended and waits for its parent
IGNORED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)  # they are for the tool; its end is ours
SET_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)


def members(session: int) -> Iterator[str]:
    """Yield the stat line of every process of a session; see proc(5)."""
    for name in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208 (pathlib takes longer than the rest)
        with contextlib.suppress(OSError), open(f"/proc/{name}/stat", errors="replace") as file:  # noqa: PTH123
            stat = file.read()
            if int(field(stat, 3)) == session:
                yield stat


def field(stat: str, number: int) -> str:
    """Return a field of a stat line, counted behind the name, which may hold anything."""
    return stat.rpartition(")")[2].split()[number]


def signal_session(session: int, number: signal.Signals) -> bool:
    """Signal every process of a session but this one; return whether one was alive."""
    pids = [int(stat.split(" ", 1)[0]) for stat in members(session) if field(stat, 0) not in ENDED]
    others = [pid for pid in pids if pid != os.getpid()]
    for pid in others:
        with contextlib.suppress(OSError):  # ended meanwhile
            os.kill(pid, number)
    return bool(others)


def main(command: list[str]) -> int:
    """Run ``command``, say on standard input's socket with which errno it started, and return its exit code."""
    if os.getsid(0) != os.getpid():
        return 127  # the session is somebody else's, a shell's perhaps, and not ours to end
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    try:
        tool = os.posix_spawnp(
            command[0],
            command,
            os.environ,
            file_actions=[(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)],
            setsigdef=[*IGNORED, *SET_BY_PYTHON],
        )
    except OSError as error:
        os.write(0, b"%d\n" % (error.errno or 1))
        return 127
    with contextlib.suppress(OSError):  # whoever started us has gone: the next line notices
        os.write(0, b"0\n")
    try:
        _wait_for_an_end(tool)
    finally:  # if the wait itself fails too, for want of descriptors perhaps
        while signal_session(os.getsid(0), signal.SIGKILL):
            time.sleep(POLL_S)  # again, since one may have started another meanwhile
    code = os.waitstatus_to_exitcode(os.waitpid(tool, 0)[1])
    return code if code >= 0 else 128 - code


def _wait_for_an_end(tool: int) -> None:
    """Return when the tool has ended, or the process that holds the other end of our standard input."""
    either = select.poll()
    either.register(os.pidfd_open(tool), select.POLLIN)
    either.register(0, select.POLLIN)
    either.poll()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
