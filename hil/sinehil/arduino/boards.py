"""Ask arduino-cli for a board's properties and for the attached ports."""

import json
from dataclasses import dataclass
from typing import Any

from sinehil.arduino.build import is_unknown_board, unknown_board
from sinehil.arduino.environment import ArduinoEnvironment
from sinehil.base.tools import json_object, run, tail
from sinehil.errors import ToolError


@dataclass(frozen=True)
class Board:
    """Its processor and what a sketch may take of it; 0 where the core names no limit."""

    fqbn: str
    architecture: str  # "AVR", ...
    mcu: str
    flash_max_bytes: int
    ram_max_bytes: int

    @property
    def is_avr(self) -> bool:
        """Whether kernels in AVR assembly run on it."""
        return self.architecture == "AVR"


def describe_board(environment: ArduinoEnvironment, fqbn: str) -> Board:
    """Ask arduino-cli (some hundredths of a second); UsageError if it knows no board ``fqbn``."""
    done = run([environment.program, "board", "details", "--json", "--fqbn", fqbn], env=environment.environ())
    document = json_object(done.stdout)
    if is_unknown_board(done.stderr):
        raise unknown_board(fqbn)
    if done.code != 0 or "build_properties" not in document:
        raise ToolError(
            f"arduino-cli does not describe {fqbn}", "run `sinehil doctor`", output=tail(done.stderr)
        )
    properties = dict(line.partition("=")[::2] for line in document["build_properties"])
    return Board(
        fqbn=fqbn,
        architecture=properties.get("build.arch", "").upper(),
        mcu=properties.get("build.mcu", ""),
        flash_max_bytes=int(properties.get("upload.maximum_size", 0)),
        ram_max_bytes=int(properties.get("upload.maximum_data_size", 0)),
    )


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
