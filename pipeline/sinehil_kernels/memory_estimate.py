"""Estimate the flash and RAM of a kernel with its firmware, before it is compiled."""

from dataclasses import dataclass

from sinehil.arduino import Board
from sinehil.model.tflite import QuantizedModel
from sinehil_kernels.generated import Kernel


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes of flash, right within ``tolerance_bytes``; the least bytes of RAM, static and stack."""

    flash_bytes: int
    tolerance_bytes: int
    ram_bytes: int

    def certainly_fits(self, board: Board) -> bool:
        """Return whether it fits, if the estimate is as good as it says; boards may name no limit."""
        return self._within(board, self.flash_bytes + self.tolerance_bytes)

    def may_fit(self, board: Board) -> bool:
        """Return whether the compiler could find that it fits."""
        return self._within(board, self.flash_bytes - self.tolerance_bytes)

    def _within(self, board: Board, flash_bytes: int) -> bool:
        flash = not board.flash_max_bytes or flash_bytes <= board.flash_max_bytes
        return flash and (not board.ram_max_bytes or self.ram_bytes <= board.ram_max_bytes)


# The firmware around a kernel on an Uno, its RAM without the stack: as compiled for nets of many shapes and all kinds
# of kernels; tests/kernels/test_memory_estimate.py compiles some again. Only for one input and one output is there a
# demo that plots, which is why the others' firmware is smaller. How much the compiler inlines depends on the sizes of
# the buffers.
WITH_PLOT, WITHOUT_PLOT = MemoryEstimate(4_780, 50, 379), MemoryEstimate(3_960, 200, 352)
CHIP_BYTES = {"atmega2560": 310, "atmega32u4": 2_800}  # more than on an Uno: interrupt vectors; USB
CHIP_TOLERANCE_BYTES = 70
REQUEST_BYTES, REPLY_BYTES = 50, 112  # what the static buffers hold anyway; see sinehil_protocol.h
NUMBER_BYTES = 4
STACK_BYTES = 20  # of the deepest command, less its input and output codes; 23 to 30 were seen


def estimate_memory(kernel: Kernel, model: QuantizedModel, board: Board) -> MemoryEstimate:
    """Return what a kernel takes on a board; on processors that nobody measured, as if it were an Uno."""
    firmware = WITH_PLOT if (model.inputs, model.outputs) == (1, 1) else WITHOUT_PLOT
    tolerance = firmware.tolerance_bytes + (CHIP_TOLERANCE_BYTES if board.mcu in CHIP_BYTES else 0)
    return MemoryEstimate(
        flash_bytes=kernel.core_bytes + firmware.flash_bytes + CHIP_BYTES.get(board.mcu, 0),
        tolerance_bytes=tolerance + (kernel.compiled.tolerance_bytes if kernel.compiled else 0),
        ram_bytes=firmware.ram_bytes + _buffer_bytes(model) + kernel.stack_bytes + STACK_BYTES,
    )


def _buffer_bytes(model: QuantizedModel) -> int:
    """Return what longer requests and replies take, and the codes of one sample on the stack."""
    requests = max(0, NUMBER_BYTES * model.inputs - REQUEST_BYTES)
    replies = max(0, NUMBER_BYTES * model.outputs - REPLY_BYTES)
    return requests + replies + model.inputs + model.outputs
