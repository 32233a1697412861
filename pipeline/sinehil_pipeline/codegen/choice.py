"""Which kernel a board gets: the one asked for, else the fastest that fits."""

from collections.abc import Sequence

from sinehil.arduino import Board
from sinehil.errors import ArtefactError, UsageError
from sinehil.tflite_model import QuantizedModel
from sinehil_pipeline.codegen.generated import GeneratedKernel
from sinehil_pipeline.codegen.kernel import GENERATORS, generate_kernel

IN_C = "portable"
FASTEST_FIRST = ("speed", "size", IN_C)
# The firmware around a kernel on an Uno; tests/codegen/test_choice.py holds it against what the compiler says.
AROUND_FLASH_BYTES = 4_800


def choose_kernel(model: QuantizedModel, oracle: str, optimize: str | None, board: Board) -> GeneratedKernel:
    """Return the kernel ``optimize``, or without it the fastest that fits on the board.

    Raises UsageError if the board cannot run it or there is none of that name, ArtefactError with the bytes needed if
    none fits.
    """
    refusal = None
    for kind in _candidates(optimize, board):
        try:
            kernel = generate_kernel(model, oracle, kind)
        except ArtefactError as error:
            refusal = error
            continue
        refusal = _does_not_fit(kernel, model, board)
        if refusal is None:
            return kernel
    assert refusal is not None
    raise refusal


def _candidates(optimize: str | None, board: Board) -> Sequence[str]:
    if optimize is None:
        return FASTEST_FIRST if board.is_avr else (IN_C,)
    if optimize in GENERATORS and optimize != IN_C and not board.is_avr:
        raise UsageError(
            f"the {optimize} kernel is AVR assembly, and {board.fqbn} is {board.architecture or 'another processor'}",
            f"use --optimize {IN_C}",
        )
    return (optimize,)


def _does_not_fit(kernel: GeneratedKernel, model: QuantizedModel, board: Board) -> ArtefactError | None:
    """Return the error for a kernel that the board cannot hold beside the firmware around it."""
    needed = kernel.core_bytes + AROUND_FLASH_BYTES
    if not board.flash_max_bytes or needed <= board.flash_max_bytes:
        return None
    return ArtefactError(
        f"{model.name} does not fit on {board.fqbn}: its {kernel.engine} kernel takes {kernel.core_bytes} bytes, which "
        f"with the firmware around it makes {needed} of {board.flash_max_bytes} bytes flash",
        "use a smaller model or a larger board",
    )
