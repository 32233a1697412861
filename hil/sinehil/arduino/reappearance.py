"""Find a board's port after an upload: boards with USB of their own may come back under another name."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

from sinehil.arduino.serial_ports import Message, Ports, scan_serial
from sinehil.base.deadline import Deadline
from sinehil.errors import LinkError

TIMEOUT_S = 10.0
POLL_S = 0.1


@dataclass(frozen=True)
class Scene:
    """What is attached at a moment.

    ``present`` is whether the port in question exists, ``address`` what discovery calls it (None if it lists none):
    udev's names and virtual boards' links lead to ports under other names.
    """

    ports: Ports
    present: bool
    address: str | None


@dataclass(frozen=True)
class Identity:
    """What USB says of a board; clones often have no serial number."""

    vid: str
    pid: str
    serial: str | None

    def may_be(self, other: "Identity") -> bool:
        """Whether both can be one board: a bootloader may have another product id and no serial number."""
        return self.vid == other.vid and (self.serial == other.serial or None in (self.serial, other.serial))


def look(port: str) -> Scene:
    """Return what is attached now."""
    ports, real = scan_serial(), os.path.realpath(port)
    address = next((address for address in ports if os.path.realpath(address) == real), None)
    return Scene(ports, Path(port).exists(), address)


def wait_for_board(port: str, before: Scene, told: str, timeout_s: float = TIMEOUT_S) -> str:
    """Return the name of the board's port after an upload to ``port``.

    ``before`` is how things looked then, ``told`` the port that arduino-cli saw afterwards. Raises LinkError if the
    board is not there within ``timeout_s``.
    """
    deadline = Deadline.after(timeout_s)
    while True:
        found = find_board(port, before, look(port), told)
        if found is not None:
            return found
        if deadline.expired:
            raise LinkError(
                f"the image was written, but the board on {port} did not come back",
                "unplug it and plug it in again, and find its port with `sinehil ports`",
            )
        time.sleep(min(POLL_S, deadline.remaining_s))


def find_board(port: str, before: Scene, now: Scene, told: str) -> str | None:
    """Return the name of the port that the board has now; None while there is none, or more than one may be it."""
    board = identity(before.ports.get(before.address or ""))
    if board is None:
        return port if now.present else None
    if identity(now.ports.get(now.address or "")) == board:
        return port
    new = {
        address: identity(entry) for address, entry in now.ports.items() if before.ports.get(address) != entry
    }
    same = [address for address, other in new.items() if other == board]
    if len(same) == 1:
        return same[0]
    hint = new.get(told)
    return told if hint is not None and board.may_be(hint) else None


def identity(entry: Message | None) -> Identity | None:
    """Return the identity of a port as discovery describes it, None if it is not on USB."""
    properties = {} if entry is None else entry["properties"]
    if "vid" not in properties or "pid" not in properties:
        return None
    return Identity(properties["vid"], properties["pid"], properties.get("serialNumber"))
