"""Simulated time: cycles, the line's speed, the watchdog."""

import pytest
import serial
from virtual_tools import TAG, ask, ask_u16, greet, until

from sinehil.virtual import VirtualUno

pytestmark = pytest.mark.board

BIT_CYCLES = 17 * 8  # UBRR 16 at double speed: 117647 baud
BURST = 200
KNOWN_CYCLES = 10_000
WATCHDOG_16MS_CYCLES = 2048 * 125  # 2048 periods of 128 kHz


def chip_time(link: serial.Serial) -> int:
    """Return the cycles that Timer1 counted since command 7."""
    return int.from_bytes(ask(link, b"\x08", 4), "little")


def test_instructions_take_the_cycles_of_the_data_sheet(link: serial.Serial) -> None:
    assert ask_u16(link, b"\x05") == KNOWN_CYCLES


def test_a_byte_from_the_chip_takes_ten_bits(link: serial.Serial) -> None:
    answer = ask(link, b"\x02", BURST + 2)
    cycles = int.from_bytes(answer[BURST:], "little") * 8
    # The first byte goes to the shift register at once, and the last one waits in the buffer.
    assert cycles == pytest.approx((BURST - 1) * 10 * BIT_CYCLES, rel=0.02)
    assert answer[:BURST] == b"\x55" * BURST


def test_a_byte_to_the_chip_takes_ten_bits(board: VirtualUno, link: serial.Serial) -> None:
    """The echo of N bytes ends N byte times after the first came in; eleven bits would be 10 % more."""
    n = 400
    ask(link, b"\x07\xf0", 1)
    before = chip_time(link)
    ask(link, b"\x80" * n, n)
    assert chip_time(link) - before >= n * 10 * BIT_CYCLES * 0.99
    assert board.control.stats().baud == pytest.approx(117647, rel=0.001)


def test_the_statistics_count_the_chip_s_own_cycles(board: VirtualUno, link: serial.Serial) -> None:
    ask(link, b"\x07\xf0", 1)
    outer, chip, inner = board.control.stats().cycles, chip_time(link), board.control.stats().cycles
    until(lambda: board.control.stats().cycles - inner > 3_000_000, "three million cycles")
    inner = board.control.stats().cycles - inner
    chip = chip_time(link) - chip
    outer = board.control.stats().cycles - outer
    assert inner <= chip <= outer


@pytest.mark.parametrize("command", [b"\x03", b"\x09"], ids=["once", "after a longer period"])
def test_the_watchdog_bites_after_sixteen_milliseconds(
    board: VirtualUno, link: serial.Serial, command: bytes
) -> None:
    """Also when its period was a second before: simavr 1.6 would go on with that second."""
    before = board.control.stats()
    link.write(command)
    until(lambda: board.control.stats().watchdog_resets > before.watchdog_resets, "a watchdog reset")
    greet(link, TAG)
    assert ask_u16(link, b"\x0a") * 64 == pytest.approx(WATCHDOG_16MS_CYCLES, rel=0.01)


def test_the_port_works_on_after_a_watchdog_reset(board: VirtualUno, link: serial.Serial) -> None:
    before = board.control.stats()
    assert ask(link, b"\x81\x82\x83", 3) == b"\x81\x82\x83"
    link.write(b"\x03")
    until(lambda: board.control.stats().watchdog_resets == before.watchdog_resets + 1, "a watchdog reset")
    greet(link, TAG)
    assert ask(link, b"\x84\x85\x86", 3) == b"\x84\x85\x86"
    assert ask(link, b"\x02", BURST + 2)[:BURST] == b"\x55" * BURST
    after = board.control.stats()
    assert (after.resets, after.crashes) == (before.resets, 0)
