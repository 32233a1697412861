"""What is left of a process group after an interruption."""

import contextlib
from pathlib import Path


def living_members(group: int) -> list[str]:
    """Processes of the group that run; those that have ended and only wait for init to notice do not count."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, member_of = stat.read_text().rpartition(")")[2].split()[:3]
            if int(member_of) == group and state != "Z":
                found.append(stat.parent.name)
    return found
