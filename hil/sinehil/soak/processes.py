"""What a process holds, read from /proc; see proc(5)."""

import contextlib
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

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
    """Return the processes that ``pid`` started, and those that they started."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # ended meanwhile
            fields = stat.read_text().rpartition(")")[2].split()
            parents.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found, waiting = [], [pid]
    while waiting:
        children = parents.get(waiting.pop(), [])
        found += children
        waiting += children
    return found
