"""Measure memory, descriptors and descendants of a process, and adopt and reap orphans."""

import contextlib
import ctypes
import os
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sinehil.base.deadline import Deadline
from sinehil.base.tool_session import ENDED, field

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
END_TIMEOUT_S = 2.0
END_POLL_S = 0.01
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Held:
    """What a process holds at a moment; ``children`` counts theirs too, and those that ended and nobody waited for."""

    rss_bytes: int
    descriptors: int
    children: int


def held(pid: int) -> Held | None:
    """Return what process ``pid`` holds, None if it has ended."""
    folder = Path(f"/proc/{pid}")
    try:
        rss_pages = int((folder / "statm").read_text().split()[1])
        descriptors = sum(1 for _ in (folder / "fd").iterdir())
    except OSError:
        return None
    return Held(rss_pages * PAGE_BYTES, descriptors, len(descendants(pid)))


def sample(who: str, board: int | None, pid: int, **more: Any) -> dict[str, Any]:
    """Return the record of what a living process holds."""
    now = held(pid) or Held(0, 0, 0)
    return {"kind": "process", "board": board, "who": who, "at": time.time(), **asdict(now), **more}


def descendants(pid: int) -> list[int]:
    """Return the processes that ``pid`` started, and those that they started.

    One whose parent has ended is only found where ``pid`` adopts orphans.
    """
    parents: dict[int, list[int]] = {}
    for process, stat in _stats():
        parents.setdefault(int(field(stat, 1)), []).append(process)
    found, waiting = [], [pid]
    while waiting:
        children = parents.get(waiting.pop(), [])
        found += children
        waiting += children
    return found


def adopt_orphans(on: bool = True) -> None:
    """Make those of our descendants whose parent ends our children, instead of init's; see prctl(2).

    Else one that outlives the tool that started it would leave our tree, and be no leak of ours.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, int(on), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def reap_orphans(leaders_too: bool = False) -> None:
    """Do what init would do: wait for adopted children that have ended, and for no child of our own.

    What we start is in our session or, as tools and boards are, the leader of its own. Whoever starts no leaders says
    ``leaders_too``.
    """
    ours = {os.getsid(0)}
    for process, stat in _stats():
        own = ours if leaders_too else ours | {process}
        if int(field(stat, 1)) == os.getpid() and field(stat, 0) in ENDED and int(field(stat, 3)) not in own:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(process, os.WNOHANG)


def await_orphans(expected: int, leaders_too: bool = False) -> None:
    """Give what is just ending its time: return with ``expected`` descendants or when it is over."""
    deadline = Deadline.after(END_TIMEOUT_S)
    reap_orphans(leaders_too)
    while len(descendants(os.getpid())) > expected and not deadline.expired:
        time.sleep(END_POLL_S)
        reap_orphans(leaders_too)


def _stats() -> Iterator[tuple[int, str]]:
    """Yield number and stat line of every process; see proc(5)."""
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # ended meanwhile
            yield int(file.parent.name), file.read_text(errors="replace")
