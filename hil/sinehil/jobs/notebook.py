"""Open a notebook in JupyterLab: copy it, start the server, and say its address once it listens."""

import contextlib
import os
import re
import socket
import sys
import time
from pathlib import Path

from sinehil.base.console import Console
from sinehil.base.deadline import Deadline
from sinehil.base.files import bounded_bytes, write_atomically
from sinehil.base.folders import resource
from sinehil.base.installed import check_installed
from sinehil.base.tools import follow, tail
from sinehil.errors import ExitCode, ToolError

END_TIMEOUT_S = 15.0  # JupyterLab gives a kernel that is busy some seconds to end
# Of the lines with an address, only those of the banner are indented: it is the last thing before the server listens.
_SERVER = re.compile(r"\s+(http://([\w.]+):(\d+))/lab\S*\?(token=\w+)")
LISTEN_TIMEOUT_S = 30.0
POLL_S = 0.05


def open_notebook(console: Console, name: str, out: Path, browser: bool) -> None:
    """Serve a copy of the notebook in ``out`` until Ctrl-C; raise ToolError if JupyterLab fails."""
    check_installed("jupyterlab", "ipykernel", "tensorflow", "matplotlib", extra="notebook")
    path = _copied(console, name, out)
    arguments = ["--no-browser"] if not browser else []
    arguments += ["--allow-root"] if os.getuid() == 0 else []
    arguments += ["--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    told: list[str] = []

    def on_line(line: str) -> None:
        if not told and (found := _SERVER.match(line)):
            _wait_until_listening(found[2], int(found[3]))
            told.append(f"{found[1]}/lab/tree/{path.name}?{found[4]}")
            console.say(f"JupyterLab: {told[0]} (Ctrl-C ends it)")
            console.result({"notebook": str(path), "url": told[0]})

    try:
        command = [sys.executable, "-m", "jupyterlab", path.name, *arguments]
        done = follow(command, on_line, cwd=path.parent, end_timeout_s=END_TIMEOUT_S)
    except KeyboardInterrupt:
        if not told:
            raise
        console.say("JupyterLab ended; the notebook stays as you saved it")
        raise SystemExit(ExitCode.INTERRUPTED) from None  # with --json, the one object has been printed
    if done.code != 0:
        raise ToolError("JupyterLab failed", "its own words are above", tail(done.stderr))


def _wait_until_listening(host: str, port: int) -> None:
    """Return when a script that reads the address can use it, or after a while all the same."""
    deadline = Deadline.after(LISTEN_TIMEOUT_S)
    while not deadline.expired:
        with contextlib.suppress(OSError), socket.create_connection((host, port), LISTEN_TIMEOUT_S):
            return
        time.sleep(POLL_S)


def _copied(console: Console, name: str, out: Path) -> Path:
    """Return the notebook's copy in ``out``, made unless one is there."""
    shipped, path = resource(f"pipeline/notebooks/{name}").read_bytes(), out / name
    if not path.exists():
        write_atomically(path, shipped)
        console.say(f"notebook: {path}")
        return path
    changed = bounded_bytes(path, len(shipped)) != shipped
    console.say(f"notebook: {path}" + (" (yours, kept as it is; --out has a fresh one)" if changed else ""))
    return path
