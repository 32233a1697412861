"""The port as a host sees it: opens, unplugging, a chip that hangs, and programs that damage themselves."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import serial
from virtual_tools import TAG, ask, greet, open_port, says_hello, until

from sinehil.errors import LinkError
from sinehil.virtual import VirtualUno

pytestmark = pytest.mark.board


@pytest.fixture
def patient(board: VirtualUno) -> Iterator[serial.Serial]:
    """Return an open port that waits long, as a host that expects a late answer does."""
    with serial.Serial(board.port, 115200, timeout=15) as opened:
        yield opened


def test_the_first_open_resets_and_a_second_one_does_not(board: VirtualUno) -> None:
    closed = board.control.stats()
    assert closed.opens == 0
    with open_port(board.port) as first:
        greet(first, TAG)
        assert board.control.stats().resets == closed.resets + 1
        with open_port(board.port):
            until(lambda: board.control.stats().opens == 2, "the second open")
            assert board.control.stats().resets == closed.resets + 1
        until(lambda: board.control.stats().opens == 1, "its close")
        assert ask(first, b"\x80", 1) == b"\x80", "the sketch ran on"
    until(lambda: board.control.stats().opens == 0, "the last close")
    with open_port(board.port) as again:
        greet(again, TAG)
        assert board.control.stats().resets == closed.resets + 2


def test_the_reset_button_starts_the_sketch_anew(board: VirtualUno, link: serial.Serial) -> None:
    before = board.control.stats()
    board.control.reset()
    greet(link, TAG)
    after = board.control.stats()
    assert (after.resets, after.watchdog_resets) == (before.resets + 1, before.watchdog_resets + 1)


def test_unplugging_ends_a_blocking_read(board: VirtualUno, patient: serial.Serial) -> None:
    with ThreadPoolExecutor() as threads:
        reading = threads.submit(patient.read, 1)
        until(reading.running, "the read")
        board.control.unplug()
        with pytest.raises(serial.SerialException):
            reading.result(timeout=10)
    with pytest.raises((serial.SerialException, OSError)):
        patient.write(b"\x80")
        patient.read(1)
    assert not Path(board.port).is_symlink()
    with pytest.raises(serial.SerialException):
        open_port(board.port)


def test_plugging_brings_a_working_port_back_behind_the_same_name(
    board: VirtualUno, link: serial.Serial
) -> None:
    before = Path(board.port).readlink()
    board.control.unplug()
    board.control.plug()
    link.close()
    assert Path(board.port).readlink().exists(), f"it was {before}"
    with open_port(board.port) as again:
        greet(again, TAG)
        assert ask(again, b"\x80\x81", 2) == b"\x80\x81"


def test_plugging_and_unplugging_twice_is_fine(board: VirtualUno) -> None:
    for _ in range(2):
        board.control.unplug()
    for _ in range(2):
        board.control.plug()
    with open_port(board.port) as opened:
        greet(opened, TAG)


def test_a_stalled_chip_is_silent_and_resumes_where_it_was(board: VirtualUno, link: serial.Serial) -> None:
    board.control.stall()
    before = board.control.stats()
    assert all(says_hello(link) is None for _ in range(5))
    assert board.control.stats().cycles == before.cycles
    board.control.resume()
    greet(link, TAG)
    assert board.control.stats().resets == before.resets


def test_a_flipped_bit_of_flash_is_what_the_program_reads(board: VirtualUno, link: serial.Serial) -> None:
    address, bit = 0x6123, 5  # behind the program, blank
    read = bytes([0x04, address & 0xFF, address >> 8])
    assert ask(link, read, 1) == b"\xff"
    board.control.flip_flash_bit(address, bit)
    assert ask(link, read, 1) == bytes([0xFF ^ 1 << bit])
    board.control.flip_flash_bit(address, bit)
    assert ask(link, read, 1) == b"\xff"


@pytest.mark.parametrize(("address", "bit"), [(32768, 0), (0, 8), (-1, 0)])
def test_a_bit_outside_flash_is_refused(board: VirtualUno, address: int, bit: int) -> None:
    with pytest.raises(LinkError, match="refused"):
        board.control.flip_flash_bit(address, bit)
    assert board.control.stats().halted is False
