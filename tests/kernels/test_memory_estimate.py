"""What a kernel is estimated to take of a board is what it takes once it is compiled."""

from dataclasses import replace
from pathlib import Path

import pytest
from models import Net
from nets import deep_net, random_net, ties_everywhere
from tests.sampling import first

from sinehil.arduino import Board, Firmware, compile_sketch, prepare_environment, stage_sketch
from sinehil_kernels import GeneratedKernel, choose_kernel, generate_kernel
from sinehil_kernels.memory_estimate import MemoryEstimate, estimate_memory

UNO = Board("arduino:avr:uno", "AVR", "atmega328p", 32256, 2048)
MEGA = Board("arduino:avr:mega", "AVR", "atmega2560", 253952, 8192)
LEONARDO = Board("arduino:avr:leonardo", "AVR", "atmega32u4", 28672, 2560)
NEAR = deep_net(1, (*[64] * 6, 49))  # as a loop it takes all but some bytes of an Uno

COMPILED: dict[str, tuple[Net, str, str, Board]] = {
    "one-in-one-out": (random_net(1), "litert", "size", UNO),
    "unrolled": (random_net(1), "litert", "speed", UNO),
    "several": (deep_net(1), "litert", "size", UNO),
    "several-unrolled": (deep_net(1), "litert", "speed", UNO),
    "one-in": (deep_net(1, (1, 5)), "litert", "size", UNO),
    "long-requests": (deep_net(5, (64, 1)), "litert", "size", UNO),
    "long-replies": (deep_net(51, (1, 64)), "litert", "portable", UNO),
    "both-long": (deep_net(1, (64, 64)), "litert", "portable", UNO),
    "c-one-in-one-out": (random_net(1), "litert", "portable", UNO),
    "c-several": (deep_net(1), "litert", "portable", UNO),
    "c-wide": (deep_net(1, (48, 48, 48)), "litert", "portable", UNO),
    "c-deep": (deep_net(54, (2, 7, 6, 5, 4, 5, 6, 7, 3)), "litert", "portable", UNO),
    "c-own-arithmetic": (ties_everywhere(), "litert", "portable", UNO),
    "c-reference-arithmetic": (ties_everywhere(), "litert-ref", "portable", UNO),
    "c-tflm-arithmetic": (ties_everywhere(), "tflm", "portable", UNO),
    "mega": (random_net(1), "litert", "size", MEGA),
    "mega-several": (deep_net(1), "litert", "size", MEGA),
    "leonardo": (random_net(1), "litert", "size", LEONARDO),
    "leonardo-several": (deep_net(1), "litert", "size", LEONARDO),
}


def compiled(kernel: GeneratedKernel, board: Board, folder: Path) -> Firmware:
    sketch = stage_sketch(kernel.sources, folder)
    return compile_sketch(prepare_environment(str), sketch, board.fqbn, folder / "out")


@pytest.mark.board
@pytest.mark.slow
@pytest.mark.parametrize("case", first(7, COMPILED))
def test_the_estimate_is_within_its_tolerance_of_what_the_compiler_says(case: str, tmp_path: Path) -> None:
    net, oracle, kind, board = COMPILED[case]
    model = net.model()
    kernel = generate_kernel(model, oracle, kind)
    estimate = estimate_memory(kernel, model, board)
    firmware = compiled(kernel, board, tmp_path)
    assert abs(firmware.flash_bytes - estimate.flash_bytes) <= estimate.tolerance_bytes <= 400
    static_bytes = estimate.ram_bytes - kernel.stack_bytes - model.inputs - model.outputs - 20
    assert static_bytes <= firmware.ram_bytes <= static_bytes + 10


@pytest.mark.extended
@pytest.mark.board
@pytest.mark.slow
def test_a_model_that_all_but_fills_the_flash_is_not_refused(tmp_path: Path) -> None:
    model = NEAR.model()
    kernel = choose_kernel(model, "litert", "size", UNO)
    assert not estimate_memory(kernel, model, UNO).certainly_fits(UNO)
    assert UNO.flash_max_bytes - 250 < compiled(kernel, UNO, tmp_path).flash_bytes <= UNO.flash_max_bytes


def test_flash_decides_within_the_tolerance_and_ram_does_too() -> None:
    estimate = MemoryEstimate(flash_bytes=8_000, tolerance_bytes=200, ram_bytes=500)
    board = replace(UNO, flash_max_bytes=8_200, ram_max_bytes=500)
    assert estimate.certainly_fits(board) and estimate.may_fit(board)
    near = replace(board, flash_max_bytes=7_800)
    assert not estimate.certainly_fits(near) and estimate.may_fit(near)
    assert not estimate.may_fit(replace(board, flash_max_bytes=7_799))
    assert not estimate.may_fit(replace(board, ram_max_bytes=499))
    assert estimate.certainly_fits(
        replace(board, flash_max_bytes=0, ram_max_bytes=0)
    )  # a core that names no limit
