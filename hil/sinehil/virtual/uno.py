"""Starting and ending a virtual Uno."""

import contextlib
import json
import os
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from sinehil.errors import LinkError, ToolError
from sinehil.files import write_atomically
from sinehil.folders import runtime_dir
from sinehil.virtual.control import ControlClient
from sinehil.virtual.programs import build_optiboot, build_virtual_board

USB_IDS = {"vid": "0x2341", "pid": "0x0043"}  # Arduino SA, Uno R3
END_TIMEOUT_S = 5.0


class VirtualUno:
    """A running virtual Uno. ``port`` is a stable path; the process ends with us, however we end."""

    def __init__(self, process: subprocess.Popen[str], link: Path, log: IO[str]) -> None:
        self._process = process
        self._link = link
        self._log = log
        self._entry = _registry_entry(process.pid)
        self.control = ControlClient(Path(f"{link}.ctl"))

    @property
    def port(self) -> str:
        """The path to open, like ``/dev/ttyACM0``."""
        return str(self._link)

    @classmethod
    def start(cls, link: Path | None = None, flash_image: Path | None = None) -> Self:
        """Build what is missing, start the board, and return when its port can be opened.

        Raises ToolError if it cannot be built or started, or if another board holds ``link``.
        """
        program, bootloader = build_virtual_board(), build_optiboot()
        link = _free_link() if link is None else link.absolute()
        _refuse_taken(link)
        command = [program, "--bootloader", bootloader, "--link", link, "--until-stdin-closes"]
        if flash_image is not None:
            command += ["--flash", flash_image]
        log = tempfile.TemporaryFile("w+")  # noqa: SIM115 (closed by stop())
        # not a pipe: nobody would read it, and a full pipe stops the board
        process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.PIPE,  # its end is how the board notices ours, even by SIGKILL
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,  # Ctrl-C is for us, not for the board
        )
        board = cls(process, link, log)
        board._wait_until_ready()
        return board

    def wait(self) -> None:
        """Block until the board ends by itself; ToolError if it does."""
        code = self._process.wait()
        raise ToolError(f"the virtual board ended (code {code})", "start it again")

    def stop(self) -> None:
        """End the board and remove its port; stopping twice is fine."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(END_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._log):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        self._entry.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _wait_until_ready(self) -> None:
        try:
            assert self._process.stdout is not None
            if not self._process.stdout.readline():
                self._log.seek(0)
                words = self._log.read()
                raise ToolError(
                    f"the virtual board did not start on {self._link}", "choose another --link", output=words
                )
            entry = {"port": self.port, **USB_IDS, "serial": f"virtual-{self._process.pid}"}
            write_atomically(self._entry, json.dumps({**entry, "pid_of_process": self._process.pid}).encode())
        except BaseException:
            self.stop()
            raise


def _registry_entry(pid: int) -> Path:
    return runtime_dir() / f"{pid}.json"


def _free_link() -> Path:
    """Return the first of uno, uno2, ... in the runtime folder that no running board holds."""
    _remove_stale_entries()
    for number in range(1, 1000):
        link = runtime_dir() / ("uno" if number == 1 else f"uno{number}")
        if not _alive(link):
            return link
    raise ToolError(f"too many virtual boards in {runtime_dir()}", "end some of them")


def _refuse_taken(link: Path) -> None:
    if _alive(link):
        raise ToolError(f"a virtual board already runs on {link}", "choose another --link, or end that one")
    if link.exists() and not link.is_symlink():
        raise ToolError(f"{link} exists and is not a virtual board's port", "choose another --link")
    try:
        link.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ToolError(f"cannot make {link.parent}: {error.strerror}", "choose another --link") from error


def _alive(link: Path) -> bool:
    try:
        ControlClient(Path(f"{link}.ctl")).stats()
    except (LinkError, ValueError, TypeError):
        return False
    return True


def _remove_stale_entries() -> None:
    for entry in runtime_dir().glob("*.json"):
        try:
            os.kill(int(entry.stem), 0)
        except (OSError, ValueError):
            entry.unlink(missing_ok=True)
