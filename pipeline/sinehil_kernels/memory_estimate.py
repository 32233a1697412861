"""Estimate the flash and RAM of a kernel with its firmware, before it is compiled."""

from dataclasses import dataclass

from sinehil.arduino import Board
from sinehil.model.tflite import QuantizedModel
from sinehil_kernels.generated import Kernel


@dataclass(frozen=True)
class Around:
    """The firmware around a kernel on an Uno: its flash, right within ``tolerance_bytes``, and its static RAM."""

    flash_bytes: int
    tolerance_bytes: int
    ram_bytes: int


# As compiled for nets of many shapes and all kinds of kernels; tests/kernels/test_room.py compiles some again. Only for
# one input and one output is there a demo that plots, which is why the others' firmware is smaller. How much the
# compiler inlines depends on the sizes of the buffers.
CURVE, OTHERS = Around(4_780, 50, 379), Around(3_960, 200, 352)
CHIP_BYTES = {"atmega2560": 310, "atmega32u4": 2_800}  # more than on an Uno: interrupt vectors; USB
CHIP_TOLERANCE_BYTES = 70
REQUEST_BYTES, REPLY_BYTES, NUMBER_BYTES = (
    50,
    112,
    4,
)  # what the static buffers hold anyway; see sinehil_protocol.h
STACK_BYTES = 20  # of the deepest command, less its input and output codes; 23 to 30 were seen


@dataclass(frozen=True)
class Room:
    """Bytes of flash, right within ``tolerance_bytes``; the least bytes of RAM, static and stack."""

    flash_bytes: int
    tolerance_bytes: int
    ram_bytes: int

    def is_enough_in(self, board: Board) -> bool:
        """Return whether it fits, if the estimate is as good as it says; boards may name no limit."""
        return self._within(board, self.flash_bytes + self.tolerance_bytes)

    def may_be_in(self, board: Board) -> bool:
        """Return whether the compiler could find that it fits."""
        return self._within(board, self.flash_bytes - self.tolerance_bytes)

    def _within(self, board: Board, flash_bytes: int) -> bool:
        flash = not board.flash_max_bytes or flash_bytes <= board.flash_max_bytes
        return flash and (not board.ram_max_bytes or self.ram_bytes <= board.ram_max_bytes)


def room_of(kernel: Kernel, model: QuantizedModel, board: Board) -> Room:
    """Return what a kernel takes on a board; on processors that nobody measured, as if it were an Uno."""
    around = CURVE if (model.inputs, model.outputs) == (1, 1) else OTHERS
    tolerance = around.tolerance_bytes + (CHIP_TOLERANCE_BYTES if board.mcu in CHIP_BYTES else 0)
    return Room(
        flash_bytes=kernel.core_bytes + around.flash_bytes + CHIP_BYTES.get(board.mcu, 0),
        tolerance_bytes=tolerance + (kernel.compiled.tolerance_bytes if kernel.compiled else 0),
        ram_bytes=around.ram_bytes + _buffer_bytes(model) + kernel.stack_bytes + STACK_BYTES,
    )


def _buffer_bytes(model: QuantizedModel) -> int:
    """Return what longer requests and replies take, and the codes of one sample on the stack."""
    requests = max(0, NUMBER_BYTES * model.inputs - REQUEST_BYTES)
    replies = max(0, NUMBER_BYTES * model.outputs - REPLY_BYTES)
    return requests + replies + model.inputs + model.outputs
