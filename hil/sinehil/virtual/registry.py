"""Keep a registry of running virtual boards: their links, and entries for discovery."""

import json
import os
from pathlib import Path

from sinehil.errors import ToolError
from sinehil.virtual.control import ControlClient


def free_link(folder: Path) -> Path:
    """Return the first of uno, uno2, ... in ``folder`` that no running board holds."""
    for number in range(1, 1000):
        link = folder / ("uno" if number == 1 else f"uno{number}")
        if not _alive(link):
            return link
    raise ToolError(f"too many virtual boards in {folder}", "end some of them")


def refuse_taken(link: Path) -> None:
    """Raise ToolError unless ``link`` can become a board's port; a link that a dead board left is no hindrance."""
    if _alive(link):
        raise ToolError(f"a virtual board already runs on {link}", "choose another --link, or end that one")
    if link.exists() and not link.is_symlink():
        raise ToolError(f"{link} exists and is not a virtual board's port", "choose another --link")
    try:
        link.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ToolError(f"cannot make {link.parent}: {error.strerror}", "choose another --link") from error


def remove_stale_entries(folder: Path) -> None:
    """Remove what boards left behind that were killed."""
    for entry in folder.glob("*.json"):
        if not _runs(entry):
            entry.unlink(missing_ok=True)


def _runs(entry: Path) -> bool:
    try:
        os.kill(int(json.loads(entry.read_text())["pid_of_process"]), 0)
    except PermissionError:
        return True
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return True


def _alive(link: Path) -> bool:
    return ControlClient(Path(f"{link}.ctl")).answers()
