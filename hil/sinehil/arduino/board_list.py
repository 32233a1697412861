"""What is attached, by arduino-cli's own eyes."""

import json
from dataclasses import dataclass
from typing import Any

from sinehil.arduino.environment import ArduinoEnvironment
from sinehil.base.tools import run, tail
from sinehil.errors import ToolError


@dataclass(frozen=True)
class BoardPort:
    """A port and the board arduino-cli takes it for, if it knows it."""

    address: str
    protocol: str
    name: str | None
    fqbn: str | None
    vid: str | None
    pid: str | None
    serial: str | None


def list_ports(environment: ArduinoEnvironment) -> list[BoardPort]:
    """Return every serial port and virtual board; ToolError if arduino-cli fails."""
    done = run([environment.program, "board", "list", "--json"], env=environment.environ(), timeout_s=30)
    try:
        detected = json.loads(done.stdout)["detected_ports"] or []
    except (ValueError, KeyError, TypeError) as error:
        raise ToolError(
            "arduino-cli could not list the ports", "try again", output=tail(done.stderr)
        ) from error
    return [_board_port(entry) for entry in detected]


def _board_port(entry: dict[str, Any]) -> BoardPort:
    port, boards = entry["port"], entry.get("matching_boards") or [{}]
    properties = port.get("properties") or {}
    return BoardPort(
        address=port["address"],
        protocol=port.get("protocol", ""),
        name=boards[0].get("name"),
        fqbn=boards[0].get("fqbn"),
        vid=properties.get("vid"),
        pid=properties.get("pid"),
        serial=properties.get("serialNumber"),
    )
