"""Boards as code of this machine: the real command handler, without a chip or a line. Imports board and base."""

from sinehil.native.board import NativeBoard, NativeFirmware, NativeTransport
from sinehil.native.library import compile_library

__all__ = ["NativeBoard", "NativeFirmware", "NativeTransport", "compile_library"]
