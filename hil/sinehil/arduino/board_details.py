"""What the installed core says of a board."""

from dataclasses import dataclass

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
