"""The firmware and its kernel as code of this machine: every byte of the protocol, without a board or a line."""

from sinehil.native.board import NativeBoard, NativeFirmware
from sinehil.native.library import compile_library
from sinehil.native.transport import NativeTransport

__all__ = ["NativeBoard", "NativeFirmware", "NativeTransport", "compile_library"]
