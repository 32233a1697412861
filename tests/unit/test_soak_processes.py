"""What a soak counts among its processes: orphans that live, and of what ended only our own."""

import subprocess
import sys

import pytest

PRELUDE = """
import os, signal, subprocess, sys
from sinehil.base.tools import run
from sinehil_audit.soak.processes import adopt_orphans, await_orphans, descendants, reap_orphans
adopt_orphans()
def tool(leads):
    start = f"subprocess.Popen(['sleep', '60'], stdout=-3, stderr=-3, start_new_session={leads})"
    return [sys.executable, "-c", f"import subprocess; print({start}.pid)"]
def orphan(tool_leads, leads):
    return int(subprocess.run(tool(leads), stdout=-1, start_new_session=tool_leads, check=True).stdout)
"""

LEFT_BY_A_TOOL = """
pid = int(run(tool(True)).stdout)
await_orphans(1)
assert descendants(os.getpid()) == [pid]
os.kill(pid, signal.SIGKILL)
"""

ENDED = """
pid = orphan(True, False)
assert descendants(os.getpid()) == [pid]
os.kill(pid, signal.SIGKILL)
await_orphans(0)
assert descendants(os.getpid()) == []
"""

OF_OUR_OWN = """
for leader in (False, True):
    own = subprocess.Popen(["true"], start_new_session=leader)
    os.waitid(os.P_PID, own.pid, os.WEXITED | os.WNOWAIT)
    reap_orphans()
    assert descendants(os.getpid()) == [own.pid]  # nobody waited for it, which is ours to do
    own.wait()
"""

LEADER = """
pid = orphan(False, True)
os.kill(pid, signal.SIGKILL)
await_orphans(0, leaders_too=True)
assert descendants(os.getpid()) == []
"""

NOT_OURS = """
adopt_orphans(False)
pid = orphan(True, False)
assert descendants(os.getpid()) == []
os.kill(pid, signal.SIGKILL)
"""


@pytest.mark.parametrize(
    "program",
    [LEFT_BY_A_TOOL, ENDED, OF_OUR_OWN, LEADER, NOT_OURS],
    ids=["left by a tool", "ended", "of our own", "leader", "not ours"],
)
def test_orphans_are_children(program: str) -> None:
    """In a process of its own, since it adopts."""
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + program], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
