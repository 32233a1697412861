"""arduino-cli and what it needs, found or built, and driven: compile, upload, list."""

from sinehil.arduino.board_details import Board, describe_board
from sinehil.arduino.board_list import BoardPort, list_ports
from sinehil.arduino.build import Firmware, compile_sketch
from sinehil.arduino.environment import ArduinoEnvironment, prepare_environment
from sinehil.arduino.sketch import stage_sketch
from sinehil.arduino.upload import upload

__all__ = [
    "ArduinoEnvironment",
    "Board",
    "BoardPort",
    "Firmware",
    "compile_sketch",
    "describe_board",
    "list_ports",
    "prepare_environment",
    "stage_sketch",
    "upload",
]
