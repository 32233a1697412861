"""Which kernel a board gets, and that one which does not fit is refused with the bytes it would need."""

from dataclasses import replace

import pytest
from chains import chain_net
from nets import deep_net, random_net
from tests.sampling import first

from sinehil.arduino import Board
from sinehil.errors import ArtefactError, ExitCode, UsageError
from sinehil.model.tflite import QuantizedModel
from sinehil_kernels import choose_kernel, proven_kernel
from sinehil_kernels.kernel import KINDS
from sinehil_kernels.memory_estimate import estimate_memory

UNO = Board("arduino:avr:uno", "AVR", "atmega328p", 32256, 2048)
MEGA = Board("arduino:avr:mega", "AVR", "atmega2560", 253952, 8192)
ARM = Board("arduino:mbed_nano:nano33ble", "MBED_NANO", "nrf52840", 983040, 262144)


@pytest.fixture(scope="module")
def wide() -> QuantizedModel:
    return deep_net(1, (48, 48, 48)).model()


def test_an_avr_gets_the_fastest_and_another_board_c() -> None:
    model = random_net(1).model()
    assert choose_kernel(model, "litert", None, UNO).engine == "speed"
    assert choose_kernel(model, "litert", None, ARM).engine == "portable"


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_what_is_asked_for_is_what_comes(kind: str) -> None:
    assert choose_kernel(random_net(1).model(), "litert", kind, UNO).engine == kind


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"portable"}))
def test_assembly_is_refused_where_it_does_not_run(kind: str) -> None:
    with pytest.raises(UsageError, match=r"AVR assembly.*MBED_NANO") as caught:
        choose_kernel(random_net(1).model(), "litert", kind, ARM)
    assert "portable" in caught.value.next_step


def test_a_model_too_large_for_the_fastest_gets_the_smallest(wide: QuantizedModel) -> None:
    with pytest.raises(ArtefactError, match=r"speed|unrolled"):
        choose_kernel(wide, "litert", "speed", UNO)
    assert choose_kernel(wide, "litert", None, UNO).engine == "size"


@pytest.mark.parametrize("kind", first(1, [None, "size", "portable"]))
def test_a_model_that_does_not_fit_is_refused_with_the_bytes_it_would_need(
    kind: str | None, wide: QuantizedModel
) -> None:
    small = replace(UNO, flash_max_bytes=8_000)
    with pytest.raises(ArtefactError, match=r"takes (\d+) bytes.*makes about (\d+) of 8000 bytes") as caught:
        choose_kernel(wide, "litert", kind, small)
    assert caught.value.exit_code == ExitCode.ARTEFACT
    assert choose_kernel(wide, "litert", kind, UNO).core_bytes > 2 * 48 * 48


def test_the_bytes_are_those_of_the_smallest_kernel(wide: QuantizedModel) -> None:
    smallest = proven_kernel(wide, "litert", "size").core_bytes
    assert smallest < proven_kernel(wide, "litert", "portable").core_bytes
    with pytest.raises(ArtefactError, match=f"its size kernel takes {smallest} bytes"):
        choose_kernel(wide, "litert", None, replace(UNO, flash_max_bytes=8_000))


def test_a_kernel_too_close_to_say_is_left_to_the_compiler(wide: QuantizedModel) -> None:
    """The smallest has the best chances; where another certainly fits, it is that one."""
    needed = estimate_memory(proven_kernel(wide, "litert", "size"), wide, UNO).flash_bytes
    assert choose_kernel(wide, "litert", None, replace(UNO, flash_max_bytes=needed - 50)).engine == "size"
    small = random_net(1).model()
    needed = estimate_memory(proven_kernel(small, "litert", "speed"), small, UNO).flash_bytes
    assert choose_kernel(small, "litert", None, replace(UNO, flash_max_bytes=needed - 50)).engine == "size"


@pytest.mark.parametrize("kind", first(1, [None, "size", "portable"]))
def test_a_model_that_needs_too_much_ram_is_refused(kind: str | None, wide: QuantizedModel) -> None:
    with pytest.raises(ArtefactError, match=r"makes about .* and (\d+) of 600 bytes RAM"):
        choose_kernel(wide, "litert", kind, replace(UNO, ram_max_bytes=600))


def test_the_limit_of_unrolled_code_is_not_taken_for_the_board_s() -> None:
    model = chain_net(1, (64, 64, 64, 64, 1)).model()
    with pytest.raises(ArtefactError, match=r"30720 that there are$"):
        choose_kernel(model, "litert", "speed", replace(UNO, flash_max_bytes=30720))
    with pytest.raises(
        ArtefactError, match=r"on the ATmega328P, which .*; the 253952 of arduino:avr:mega do not"
    ):
        choose_kernel(model, "litert", "speed", MEGA)


def test_an_unknown_kernel_is_refused() -> None:
    with pytest.raises(UsageError, match="no kernel 'fastest'"):
        choose_kernel(random_net(1).model(), "litert", "fastest", UNO)
