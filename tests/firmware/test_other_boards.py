"""The firmware is compiled for boards that nobody simulates here: another UART, and a USB of the chip's own."""

from pathlib import Path

import pytest
from known_engine import SOURCE, shape_header
from uno_image import compile_for

from sinehil.base.manifest import KERNEL
from sinehil.errors import ToolError
from sinehil_kernels.generated import SHAPE_FILE


@pytest.mark.parametrize("board", ["nano", "mega", "leonardo"])
@pytest.mark.parametrize(("inputs", "outputs"), [(1, 1), (64, 64)])
def test_it_compiles(board: str, inputs: int, outputs: int, tmp_path: Path) -> None:
    kernel = {KERNEL: SOURCE.read_text(), SHAPE_FILE: shape_header(inputs, outputs)}
    firmware = compile_for(f"arduino:avr:{board}", kernel, tmp_path)
    assert firmware.flash_bytes < 9_000
    assert firmware.ram_bytes < (500 if inputs == 1 else 900)


@pytest.mark.parametrize(("inputs", "outputs"), [(0, 1), (65, 1), (1, 65)])
def test_a_shape_that_the_wire_cannot_carry_does_not_compile(
    inputs: int, outputs: int, tmp_path: Path
) -> None:
    kernel = {KERNEL: SOURCE.read_text(), SHAPE_FILE: shape_header(inputs, outputs)}
    with pytest.raises(ToolError, match="does not compile"):
        compile_for("arduino:avr:uno", kernel, tmp_path)
