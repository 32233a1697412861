import contextlib
import inspect
import math
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sinehil.base import tool_session as keeper
from sinehil.base import tools as process
from sinehil.base.deadline import Deadline
from sinehil.base.tool_session import IGNORED, SET_BY_PYTHON
from sinehil.base.tools import follow, run, tail
from sinehil.errors import LinkError, ToolError

GRANDCHILD = [
    "bash",
    "-c",
    "set -m; sleep 600 & cut -d ' ' -f 6 /proc/$$/stat; wait",
]  # -m: each job gets a process group of its own; it says its session


def has_ended(session: int) -> bool:
    """Wait, at most 20 s, until no process of a session runs; one that init has not reaped yet has ended."""
    deadline = Deadline.after(20.0)
    while running(session) and not deadline.expired:
        pass
    return not running(session)


def running(session: int) -> list[str]:
    fields = (line.rsplit(")", 1)[1].split() for line in process_lines())
    return [state for state, _, _, its_session, *_ in fields if int(its_session) == session and state != "Z"]


def process_lines() -> Iterator[str]:
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            yield path.read_text()


def test_the_check_for_a_running_session_sees_one() -> None:
    assert running(os.getsid(0))


def test_words_and_exit_code_are_kept() -> None:
    done = run(["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert (done.code, done.stdout, done.stderr) == (3, "out\n", "err\n")


def test_words_that_are_not_utf_8_are_no_failure() -> None:
    assert run(["printf", "\\377ok"]).stdout.endswith("ok")


@pytest.mark.parametrize("program", ["/nonexistent/tool", "/etc/hostname"])
def test_what_cannot_be_run_is_a_tool_error(program: str) -> None:
    with pytest.raises(ToolError, match=f"{program} cannot be run: ") as caught:
        run([program])
    assert caught.value.next_step


def test_a_tool_that_hangs_is_ended_with_its_children() -> None:
    with pytest.raises(ToolError, match=r"bash did not finish within 0\.2 s"):
        run(GRANDCHILD, timeout_s=0.2)  # reading its output would block for ten minutes if `sleep` lived on


def test_a_followed_tool_that_hangs_is_ended_with_its_children() -> None:
    sessions: list[int] = []
    with pytest.raises(ToolError, match=r"bash did not finish within 2 s"):
        follow(GRANDCHILD, lambda line: sessions.append(int(line)), timeout_s=2.0)
    assert has_ended(sessions[0])


def test_every_tool_has_a_time_by_which_it_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    assert inspect.signature(run).parameters["timeout_s"].default == process.TIMEOUT_S < math.inf
    monkeypatch.setattr(process, "KEEPER", (sys.executable, "-c", "import time; time.sleep(600)"))
    monkeypatch.setattr(process, "START_TIMEOUT_S", 0.2)
    with pytest.raises(ToolError, match=r"bash cannot be run: its keeper did not start it within 0\.2 s"):
        run(GRANDCHILD)


def test_a_keeper_that_cannot_wait_orphans_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = (
        "import errno, os, runpy\n"
        "def no(_): raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))\n"
        "os.pidfd_open = no\n"
        f"runpy.run_path({keeper.__file__!r}, run_name='__main__')\n"
    )
    monkeypatch.setattr(process, "KEEPER", (sys.executable, "-c", broken))
    done = run(GRANDCHILD, timeout_s=30.0)  # its words would not end before `sleep` does
    assert done.code == 1 and "Too many open files" in done.stderr


def test_an_interruption_ends_the_whole_session() -> None:
    """As Ctrl-C does: the exception comes in the middle of a tool whose child would run on."""
    sessions: list[int] = []

    def interrupt(line: str) -> None:
        sessions.append(int(line))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        follow(GRANDCHILD, interrupt)
    assert has_ended(sessions[0])


def test_ctrl_c_on_a_process_of_ours_leaves_nothing_behind() -> None:
    code = f"from sinehil.base.tools import follow; follow({GRANDCHILD}, lambda l: print(l, flush=True))"
    ours = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with ours:
        assert ours.stdout is not None
        session = int(ours.stdout.readline())
        assert running(session)
        ours.send_signal(signal.SIGINT)
        assert "KeyboardInterrupt" in ours.communicate(timeout=30)[1]
    assert has_ended(session)


def test_a_watcher_may_end_a_tool() -> None:
    calls: list[str] = []

    def watch(_: int) -> None:
        calls.append("seen")
        if len(calls) == 2:
            raise LinkError("gone")

    with pytest.raises(LinkError, match="gone"):
        run(GRANDCHILD, watch=watch)
    assert run(["echo", "quick"], watch=watch).stdout == "quick\n"


def test_followed_lines_come_one_by_one_and_are_kept() -> None:
    lines: list[str] = []
    done = follow(["sh", "-c", "echo one; echo two >&2; exit 4"], lines.append)
    assert lines == ["one", "two"]
    assert (done.code, done.stderr) == (4, "one\ntwo\n")


def test_tail_keeps_the_end() -> None:
    assert tail("a\nb\nc\n", 2) == "b\nc"


def test_the_tools_end_when_we_are_killed_and_can_do_nothing() -> None:
    code = f"from sinehil.base.tools import follow; follow({GRANDCHILD}, lambda l: print(l, flush=True))"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as ours:
        assert ours.stdout is not None
        session = int(ours.stdout.readline())
        assert running(session)
        ours.kill()
    assert has_ended(session)


def test_what_a_killed_tool_leaves_behind_is_ended() -> None:
    """Negative control of the one above too: without its keeper a killed `bash` leaves `sleep` running."""
    lines: list[str] = []
    done = follow(
        ["bash", "-c", "set -m; sleep 600 & cut -d ' ' -f 6 /proc/$$/stat; kill -KILL $$"], lines.append
    )
    assert done.code == 128 + signal.SIGKILL
    assert has_ended(int(lines[0]))


def ignored_signals(status: str) -> set[int]:
    """Return what a process ignores; 32 and 33 are glibc's own."""
    mask = int(status.split("SigIgn:")[1].split()[0], 16)
    return {number for number in range(1, 32) if mask >> (number - 1) & 1}


def test_a_tool_gets_an_empty_input_and_the_usual_signals() -> None:
    """What this process ignores because a shell started it so, in the background perhaps, the tool may ignore too."""
    inherited = ignored_signals(Path("/proc/self/status").read_text()) - {*SET_BY_PYTHON, *IGNORED}
    assert ignored_signals(run(["sh", "-c", "cat; cat /proc/self/status"]).stdout) <= inherited
