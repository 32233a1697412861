"""The control channel of a virtual board: what a hand at the bench would do."""

import json
import socket
from dataclasses import dataclass
from pathlib import Path

from sinehil.errors import LinkError

TIMEOUT_S = 5.0


@dataclass(frozen=True)
class VirtualStats:
    """What the simulator counted. ``cycles`` run since the start; bytes as the chip saw them."""

    cycles: int
    received: int
    sent: int
    overruns: int
    baud_errors: int
    resets: int
    watchdog_resets: int
    crashes: int
    halted: bool
    opens: int
    baud: int
    host_baud: int
    pc: int


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
        """Plug it in again: a fresh port behind the same link."""
        self._command("plug")

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

    def _command(self, line: str) -> None:
        answer = self._ask(line)
        if answer != "ok":
            raise LinkError(f"the virtual board refused {line!r}: {answer}")

    def _ask(self, line: str) -> str:
        try:
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(TIMEOUT_S)
                client.connect(str(self.path))
                client.sendall(line.encode() + b"\n")
                return client.makefile().readline().strip()
        except OSError as error:
            raise LinkError(
                f"no virtual board answers on {self.path}", "start one: sinehil virtual uno"
            ) from error
