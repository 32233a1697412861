"""List serial ports and running virtual boards, in the form in which arduino-cli describes a port."""

import json
import os
from pathlib import Path
from typing import Any

from sinehil.base.folders import runtime_dir

Message = dict[str, Any]
Ports = dict[str, Message]  # by address


def scan_serial() -> Ports:
    """Return real serial ports and running virtual boards by address."""
    return real_ports() | virtual_boards(runtime_dir())


def real_ports() -> Ports:
    """Return the machine's serial ports by address; those on USB tell their ids."""
    from serial.tools import list_ports

    return {
        info.device: _port(info.device, _usb_id(info.vid), _usb_id(info.pid), info.serial_number)
        for info in list_ports.comports()
    }


def virtual_boards(folder: Path) -> Ports:
    """Return the boards listed in ``folder`` whose process lives and whose port exists."""
    found: Ports = {}
    for entry in sorted(folder.glob("*.json")):
        try:
            board = json.loads(entry.read_bytes())
            address = str(board["port"])
            if _is_alive(int(board["pid_of_process"])) and Path(address).exists():
                found[address] = _port(address, board["vid"], board["pid"], board.get("serial"))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue  # ended meanwhile, or not ours
    return found


def _is_alive(pid: int) -> bool:
    if pid <= 0:
        return False  # for kill() these are groups of processes
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _usb_id(number: int | None) -> str | None:
    return None if number is None else f"0x{number:04X}"


def _port(address: str, vid: str | None, pid: str | None, serial: str | None) -> Message:
    named = {"vid": vid, "pid": pid, "serialNumber": serial}
    return {
        "address": address,
        "label": address,
        "protocol": "serial",
        "protocolLabel": "Serial Port",
        "properties": {key: value for key, value in named.items() if value},
    }
