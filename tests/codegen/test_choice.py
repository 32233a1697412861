"""Which kernel a board gets, and that one which does not fit is refused with the bytes it would need."""

from dataclasses import replace
from pathlib import Path

import pytest
from nets import deep_net, random_net

from sinehil.arduino import Board, compile_sketch, prepare_environment, stage_sketch
from sinehil.errors import ArtefactError, ExitCode, UsageError
from sinehil.tflite_model import QuantizedModel
from sinehil_pipeline.codegen import choose_kernel
from sinehil_pipeline.codegen.choice import AROUND_FLASH_BYTES
from sinehil_pipeline.codegen.kernel import GENERATORS
from sinehil_pipeline.engines.peers import nothing

UNO = Board("arduino:avr:uno", "AVR", "atmega328p", 32256, 2048)
ARM = Board("arduino:mbed_nano:nano33ble", "MBED_NANO", "nrf52840", 983040, 262144)


@pytest.fixture(scope="module")
def wide() -> QuantizedModel:
    return deep_net(1, (48, 48, 48)).model()


def test_an_avr_gets_the_fastest_and_another_board_c() -> None:
    model = random_net(1).model()
    assert choose_kernel(model, "litert", None, UNO).engine == "speed"
    assert choose_kernel(model, "litert", None, ARM).engine == "portable"


@pytest.mark.parametrize("kind", sorted(GENERATORS))
def test_what_is_asked_for_is_what_comes(kind: str) -> None:
    assert choose_kernel(random_net(1).model(), "litert", kind, UNO).engine == kind


@pytest.mark.parametrize("kind", sorted(set(GENERATORS) - {"portable"}))
def test_assembly_is_refused_where_it_does_not_run(kind: str) -> None:
    with pytest.raises(UsageError, match=r"AVR assembly.*MBED_NANO") as caught:
        choose_kernel(random_net(1).model(), "litert", kind, ARM)
    assert "portable" in caught.value.next_step


def test_a_model_too_large_for_the_fastest_gets_the_smallest(wide: QuantizedModel) -> None:
    with pytest.raises(ArtefactError, match=r"speed|unrolled"):
        choose_kernel(wide, "litert", "speed", UNO)
    assert choose_kernel(wide, "litert", None, UNO).engine == "size"


@pytest.mark.parametrize("kind", [None, "size", "portable"])
def test_a_model_that_does_not_fit_is_refused_with_the_bytes_it_would_need(
    kind: str | None, wide: QuantizedModel
) -> None:
    small = replace(UNO, flash_max_bytes=8_000)
    with pytest.raises(ArtefactError, match=r"takes (\d+) bytes.*makes (\d+) of 8000 bytes") as caught:
        choose_kernel(wide, "litert", kind, small)
    assert caught.value.exit_code == ExitCode.ARTEFACT
    assert choose_kernel(wide, "litert", kind, UNO).core_bytes > 2 * 48 * 48


def test_an_unknown_kernel_is_refused() -> None:
    with pytest.raises(UsageError, match="no kernel 'fastest'"):
        choose_kernel(random_net(1).model(), "litert", "fastest", UNO)


@pytest.mark.board
def test_the_firmware_around_a_kernel_is_as_large_as_the_choice_supposes(tmp_path: Path) -> None:
    sources = nothing(random_net(1).model()).sources
    firmware = compile_sketch(
        prepare_environment(str), stage_sketch(sources, tmp_path), UNO.fqbn, tmp_path / "out"
    )
    assert firmware.flash_bytes <= AROUND_FLASH_BYTES <= firmware.flash_bytes + 300
