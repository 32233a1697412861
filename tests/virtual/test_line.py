"""What is lost or garbled on the line, and what never may be."""

import time

import pytest
import serial
from virtual_tools import TAG, ask, ask_u16, greet, open_port, says_hello, until

from sinehil.virtual import VirtualUno

pytestmark = pytest.mark.board

DEAF = b"\x06"  # the probe does not read for 20 ms, 230 byte times
SUMMED = 8000
BUFFERED = 3  # two bytes in the receiver and one in its shift register


def test_a_sketch_that_reads_loses_nothing_at_full_rate(board: VirtualUno, link: serial.Serial) -> None:
    sent = bytes((17 * i * i) % 256 for i in range(SUMMED))
    before = board.control.stats()
    assert ask_u16(link, b"\x0b" + sent) == sum(sent) % 65536
    after = board.control.stats()
    assert (after.overruns, after.baud_errors) == (before.overruns, before.baud_errors)
    assert after.received - before.received == 1 + SUMMED


def test_a_sketch_that_echoes_loses_nothing_at_full_rate(board: VirtualUno, link: serial.Serial) -> None:
    """For as long as the receiver makes up for simavr's transmitter, which has no second buffer (0.3 %)."""
    sent = bytes(0x80 + i % 0x80 for i in range(500))
    before = board.control.stats()
    assert ask(link, sent, len(sent)) == sent
    after = board.control.stats()
    assert after.overruns == before.overruns
    assert after.received - before.received == after.sent - before.sent == len(sent)


@pytest.mark.parametrize("length", [1, 2, BUFFERED])
def test_a_late_sketch_finds_what_the_receiver_buffers(
    board: VirtualUno, link: serial.Serial, length: int
) -> None:
    sent = bytes(range(0x80, 0x80 + length))
    before = board.control.stats()
    assert ask(link, DEAF + sent, length) == sent
    assert board.control.stats().overruns == before.overruns


def test_a_late_sketch_loses_the_rest_and_it_is_counted(board: VirtualUno, link: serial.Serial) -> None:
    sent = bytes(range(0x80, 0x80 + 20))
    before = board.control.stats()
    assert ask(link, DEAF + sent, BUFFERED) == sent[:BUFFERED]
    assert board.control.stats().overruns == before.overruns + len(sent) - BUFFERED
    assert ask(link, b"\xf0", 1) == b"\xf0", "nothing more came, and the line works on"


def test_the_wrong_baud_rate_is_not_understood(board: VirtualUno) -> None:
    """Enough hellos for a whole second of Optiboot and the sketch behind it; 115200 is answered."""
    with open_port(board.port, 9600) as wrong:
        until(lambda: board.control.stats().host_baud == 9600, "the host's rate")
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            assert says_hello(wrong) is None
        assert board.control.stats().baud_errors > 0
    until(lambda: board.control.stats().opens == 0, "the close")
    with open_port(board.port, 115200) as right:
        greet(right, TAG)
        errors = board.control.stats().baud_errors
        assert ask(right, b"\x90\x91", 2) == b"\x90\x91"
        assert board.control.stats().baud_errors == errors
