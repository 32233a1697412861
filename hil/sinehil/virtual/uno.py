"""Start and end a virtual Uno."""

import contextlib
import fcntl
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from sinehil.base.folders import runtime_dir
from sinehil.errors import ToolError
from sinehil.virtual.control import ControlClient
from sinehil.virtual.programs import build_optiboot, build_virtual_board
from sinehil.virtual.registry import free_link, refuse_taken, remove_stale_entries

END_TIMEOUT_S = 5.0
LINK_TAKEN = 3  # the program's exit code


class VirtualUno:
    """A running virtual Uno. ``port`` is a stable path; the process ends with us, however we end."""

    def __init__(self, process: subprocess.Popen[str], link: Path, words: IO[str]) -> None:
        self._process = process
        self._link = link
        self._words = words
        self.control = ControlClient(Path(f"{link}.ctl"))

    @property
    def port(self) -> str:
        """The path to open, like ``/dev/ttyACM0``."""
        return str(self._link)

    @property
    def pid(self) -> int:
        """The simulator's process."""
        return self._process.pid

    @classmethod
    def start(cls, link: Path | None = None, flash_image: Path | None = None) -> Self:
        """Build what is missing, start the board, and return when its port can be opened.

        ``flash_image`` keeps the flash between runs; a missing file is a blank board.
        Raises ToolError if it cannot be built or started, or if another board holds ``link``.
        """
        program, bootloader = build_virtual_board(), build_optiboot()
        with _one_start_at_a_time():
            remove_stale_entries(runtime_dir())
            link = free_link(runtime_dir()) if link is None else link.absolute()
            refuse_taken(link)
            command = [program, "--bootloader", bootloader, "--link", link, "--until-stdin-closes"]
            command += ["--registry", runtime_dir()]
            if flash_image is not None:
                command += ["--flash", flash_image.absolute()]
            return cls._launch([str(word) for word in command], link)

    @classmethod
    def _launch(cls, command: list[str], link: Path) -> Self:
        words = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115 - closed by stop()
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,  # its end is how the board notices ours, even by SIGKILL
            stdout=subprocess.PIPE,
            stderr=words,
            text=True,
            start_new_session=True,  # Ctrl-C is for us, not for the board
        )
        board = cls(process, link, words)
        try:
            board._wait_until_ready()
        except BaseException:
            board.stop()
            raise
        return board

    def wait(self) -> None:
        """Block until the board is ended from outside; ToolError if it fails by itself."""
        code = self._process.wait()
        if code != 0:
            raise ToolError(f"the virtual board ended (code {code})", "start it again", self._said())

    def stop(self) -> None:
        """End the board and remove its port; stopping twice is fine."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(END_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._words):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _wait_until_ready(self) -> None:
        assert self._process.stdout is not None
        if self._process.stdout.readline():
            return
        if self._process.wait() == LINK_TAKEN:
            raise ToolError(
                f"a virtual board already runs on {self._link}", "choose another --link, or end that one"
            )
        raise ToolError(
            f"the virtual board did not start on {self._link}", "choose another --link", self._said()
        )

    def _said(self) -> str:
        if self._words.closed:
            return ""
        self._words.seek(0)
        return self._words.read()


@contextlib.contextmanager
def _one_start_at_a_time() -> Iterator[None]:
    folder = os.open(runtime_dir(), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)
