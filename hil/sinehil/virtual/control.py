"""Control a virtual board from outside: reset, unplug, hang, and what its chip counts."""

import contextlib
import json
import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sinehil.errors import LinkError

TIMEOUT_S = 5.0


@dataclass(frozen=True)
class VirtualStats:
    """What the simulator counted since the start; bytes as they passed on the line.

    ``cycles`` stand still while the chip does; ``received_at`` and ``sent_at`` are theirs at the last byte's start bit
    from the host and when the chip gave its UART the last one. ``lost`` met a receiver switched off, ``unread`` a host
    that does not read. ``opened`` counts edges, ``opens`` is how many hold the port now. ``mark_span`` is the cycles
    between the firmware's last two writes to GPIOR0, ``mark_value`` the last value written.
    """

    cycles: int
    received: int
    received_at: int
    sent: int
    sent_at: int
    overruns: int
    lost: int
    unread: int
    baud_errors: int
    opened: int
    resets: int
    watchdog_resets: int
    crashes: int
    flash_writes: int
    marks: int
    mark_span: int
    mark_value: int
    opens: int
    baud: int
    host_baud: int
    pc: int
    halted: bool
    stalled: bool
    plugged: bool


class ControlClient:
    """Commands to a running virtual board over its Unix socket."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def reset(self) -> None:
        """Press the reset button."""
        self._command("reset")

    def unplug(self) -> None:
        """Pull the USB cable: the port disappears."""
        self._command("unplug")

    def plug(self) -> None:
        """Plug it in again: a fresh port behind the same link, or behind the one that ``rename`` said."""
        self._command("plug")

    def unplug_after_upload(self) -> None:
        """Let the port disappear by itself at the end of the next upload, as boards with USB of their own do."""
        self._command("unplug after upload")

    def rename(self, name: str) -> None:
        """Let the port appear as ``name``, in the folder of its link, when it is plugged in next."""
        self._command(f"rename {name}")

    def stall(self) -> None:
        """Stop the clock: the port stays, nothing answers."""
        self._command("stall")

    def resume(self) -> None:
        """Let the clock run again."""
        self._command("resume")

    def flip_flash_bit(self, address: int, bit: int) -> None:
        """Damage one bit of flash at a byte address."""
        self._command(f"flip {address} {bit}")

    def stats(self) -> VirtualStats:
        """Return the simulator's counters."""
        return VirtualStats(**json.loads(self._ask("stats")))

    def answers(self) -> bool:
        """Return whether a board is there, of whatever version."""
        try:
            return bool(self._ask("stats"))
        except LinkError:
            return False

    def _command(self, line: str) -> None:
        answer = self._ask(line)
        if answer != "ok":
            raise LinkError(f"the virtual board refused {line!r}: {answer}")

    def _ask(self, line: str) -> str:
        try:
            with socket.socket(socket.AF_UNIX) as client, _short_name(self.path) as name:
                client.settimeout(TIMEOUT_S)
                client.connect(name)
                client.sendall(line.encode() + b"\n")
                with client.makefile() as answers:
                    return answers.readline().strip()
        except OSError as error:
            raise LinkError(
                f"no virtual board answers on {self.path}", "start one: sinehil virtual uno"
            ) from error


@contextlib.contextmanager
def _short_name(path: Path) -> Iterator[str]:
    """Yield a name for a socket that fits its 107 bytes whatever the length of ``path``."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
