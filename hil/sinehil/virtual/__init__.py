"""Virtual boards: the real image on a simulated chip, behind a port. Imports arduino, board and base."""

from sinehil.virtual.control import ControlClient, VirtualStats
from sinehil.virtual.programs import build_optiboot, build_virtual_board
from sinehil.virtual.uno import VirtualUno

__all__ = ["ControlClient", "VirtualStats", "VirtualUno", "build_optiboot", "build_virtual_board"]
