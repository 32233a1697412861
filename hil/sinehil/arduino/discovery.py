"""A pluggable discovery for arduino-cli: the machine's serial ports and the running virtual boards.

The protocol: one command a line on stdin, one JSON object an answer on stdout. See
https://arduino.github.io/arduino-cli/latest/pluggable-discovery-specification/
"""

import json
import os
import select
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sinehil.folders import runtime_dir

POLL_S = 0.4  # the first events must come a moment after the answer to START_SYNC
Ports = dict[str, dict[str, Any]]
PROTOCOL_VERSION = 1


class Discovery:
    """The protocol as a state machine: commands and scans in, messages out."""

    def __init__(self, scan: Callable[[], Ports]) -> None:
        self._scan = scan
        self._known: Ports = {}
        self.syncing = False
        self.quitting = False

    def command(self, line: str) -> list[dict[str, Any]]:
        """Return the answers to one command line."""
        word = line.split(" ", 1)[0].strip().upper()
        if word == "HELLO":
            return [_answer("hello", "OK", protocolVersion=PROTOCOL_VERSION)]
        if word == "LIST":
            return [{"eventType": "list", "ports": list(self._scan().values())}]
        if word in ("START", "START_SYNC", "STOP", "QUIT"):
            self.syncing = word == "START_SYNC"
            self.quitting = word == "QUIT"
            self._known = {}
            return [_answer(word.lower(), "OK")]
        return [_answer("command_error", f"Command {word} not supported", error=True)]

    def poll(self) -> list[dict[str, Any]]:
        """Return what appeared and what went away since the last call."""
        found = self._scan()
        added = [
            {"eventType": "add", "port": port}
            for address, port in found.items()
            if address not in self._known
        ]
        removed = [
            {"eventType": "remove", "port": {"address": port["address"], "protocol": port["protocol"]}}
            for address, port in self._known.items()
            if address not in found
        ]
        self._known = found
        return removed + added


def scan_serial() -> Ports:
    """Return real serial ports and running virtual boards by address."""
    from serial.tools import list_ports

    real = {
        info.device: _port(info.device, f"{info.vid:#06x}", f"{info.pid:#06x}", info.serial_number)
        for info in list_ports.comports()
        if info.vid is not None and info.pid is not None
    }
    return real | virtual_boards(runtime_dir())


def virtual_boards(folder: Path) -> Ports:
    """Return the boards listed in ``folder`` whose process lives and whose port exists."""
    found: Ports = {}
    for entry in sorted(folder.glob("*.json")):
        try:
            board: Mapping[str, Any] = json.loads(entry.read_text())
            address = str(board["port"])
            os.kill(int(board["pid_of_process"]), 0)
            if Path(address).exists():
                found[address] = _port(address, board["vid"], board["pid"], board.get("serial"))
        except (OSError, ValueError, KeyError, TypeError):
            continue  # ended meanwhile, or not ours
    return found


def _port(address: str, vid: str | None, pid: str | None, serial: str | None) -> dict[str, Any]:
    named = {"vid": vid, "pid": pid, "serialNumber": serial}
    return {
        "address": address,
        "label": address,
        "protocol": "serial",
        "protocolLabel": "Serial Port",
        "properties": {key: value for key, value in named.items() if value},
    }


def _answer(event: str, message: str, **more: Any) -> dict[str, Any]:
    return {"eventType": event, "message": message, **more}


def main(kind: str) -> None:
    """Serve arduino-cli until QUIT or the end of stdin; ``mdns`` lists nothing."""
    discovery = Discovery(scan_serial if kind == "serial" else dict)
    while not discovery.quitting:
        ready, _, _ = select.select([sys.stdin], [], [], POLL_S if discovery.syncing else None)
        if ready:
            line = sys.stdin.readline()
            if not line:
                return
            messages = discovery.command(line)
        else:
            messages = discovery.poll()
        for message in messages:
            sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
