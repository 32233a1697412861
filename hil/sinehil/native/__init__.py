"""The firmware and its kernel as code of this machine: every byte of the protocol, without a board or a line."""

from sinehil.native.board import NativeBoard, NativeFirmware
from sinehil.native.library import compile_library

__all__ = ["NativeBoard", "NativeFirmware", "compile_library"]
