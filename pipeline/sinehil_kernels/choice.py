"""Choose the kernel for a board: the one asked for, else the fastest that fits."""

from collections.abc import Sequence

from sinehil.arduino import Board
from sinehil.errors import ArtefactError, UsageError
from sinehil.model.tflite import QuantizedModel
from sinehil_kernels.avr.chip import MOST_FLASH
from sinehil_kernels.generated import ProvenKernel
from sinehil_kernels.kernel import KINDS, proven_kernel
from sinehil_kernels.memory_estimate import MemoryEstimate, estimate_memory
from sinehil_kernels.value_ranges import value_ranges

IN_C, UNROLLED = "portable", "speed"
FASTEST_FIRST = (UNROLLED, "size", IN_C)


def choose_kernel(model: QuantizedModel, oracle: str, optimize: str | None, board: Board) -> ProvenKernel:
    """Return the kernel ``optimize``, or without it the fastest that fits on the board.

    Where it is too close to say, the smallest is returned, and the compiler has the last word. Raises UsageError if
    the board cannot run it or there is none of that name, ArtefactError with the bytes that the smallest needs if none
    fits.
    """
    refusals: list[ArtefactError] = []
    found: list[tuple[ProvenKernel, MemoryEstimate]] = []
    for kind in _candidates(optimize, board):
        try:
            kernel = _proven(model, oracle, kind, board)
        except ArtefactError as error:
            refusals.append(error)
            continue
        found.append((kernel, estimate_memory(kernel, model, board)))
        if found[-1][1].certainly_fits(board):
            return kernel
    if not found:
        raise refusals[-1]
    kernel, estimate = min(found, key=lambda pair: pair[1].flash_bytes)
    if not estimate.may_fit(board):
        raise _does_not_fit(kernel, estimate, model, board)
    return kernel


def _candidates(optimize: str | None, board: Board) -> Sequence[str]:
    if optimize is None:
        return FASTEST_FIRST if board.is_avr else (IN_C,)
    if optimize in KINDS and optimize != IN_C and not board.is_avr:
        raise UsageError(
            f"the {optimize} kernel is AVR assembly, and {board.fqbn} is {board.architecture or 'another processor'}",
            f"use --optimize {IN_C}",
        )
    return (optimize,)


def _proven(model: QuantizedModel, oracle: str, kind: str, board: Board) -> ProvenKernel:
    """Return a proven kernel; where a larger board does not help against a limit of unrolled code, say so."""
    try:
        return proven_kernel(model, oracle, kind)
    except ArtefactError as error:
        if kind != UNROLLED or board.flash_max_bytes <= MOST_FLASH:
            raise
        value_ranges(model, oracle)  # what no kernel can be made of is refused without more words
        raise ArtefactError(
            f"{error.message} on the ATmega328P, which unrolled code is made for and tried on; "
            f"the {board.flash_max_bytes} of {board.fqbn} do not help",
            error.next_step,
        ) from error


def _does_not_fit(
    kernel: ProvenKernel, estimate: MemoryEstimate, model: QuantizedModel, board: Board
) -> ArtefactError:
    """Return the error for a kernel that the board cannot hold beside the firmware around it."""
    flash = f"{estimate.flash_bytes} of {board.flash_max_bytes} bytes flash"
    ram = f"{estimate.ram_bytes} of {board.ram_max_bytes} bytes RAM"
    return ArtefactError(
        f"{model.name} does not fit on {board.fqbn}: its {kernel.engine} kernel takes {kernel.core_bytes} bytes, which "
        f"with the firmware around it makes about {flash} and {ram}",
        "use a smaller model or a larger board",
    )
