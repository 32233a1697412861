"""Find or build arduino-cli and drive it: compile, upload, list. Imports board, model and base."""

from sinehil.arduino.boards import Board, BoardPort, describe_board, list_ports
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
