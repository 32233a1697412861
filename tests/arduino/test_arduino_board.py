"""What the core says of boards, and of names that are none."""

import pytest

from sinehil.arduino import ArduinoEnvironment, describe_board
from sinehil.errors import UsageError


@pytest.mark.parametrize(
    ("fqbn", "mcu", "flash_max_bytes", "ram_max_bytes"),
    [
        ("arduino:avr:uno", "atmega328p", 32256, 2048),
        ("arduino:avr:mega", "atmega2560", 253952, 8192),
        ("arduino:avr:nano:cpu=atmega168", "atmega168", 14336, 1024),
    ],
)
def test_a_board_is_described(
    environment: ArduinoEnvironment, fqbn: str, mcu: str, flash_max_bytes: int, ram_max_bytes: int
) -> None:
    board = describe_board(environment, fqbn)
    assert (board.fqbn, board.mcu, board.is_avr) == (fqbn, mcu, True)
    assert (board.flash_max_bytes, board.ram_max_bytes) == (flash_max_bytes, ram_max_bytes)


@pytest.mark.parametrize("fqbn", ["arduino:avr:unoo", "uno", "some:other:board", ""])
def test_an_unknown_board_is_refused(environment: ArduinoEnvironment, fqbn: str) -> None:
    with pytest.raises(UsageError, match="knows no board"):
        describe_board(environment, fqbn)
