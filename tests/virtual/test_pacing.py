"""Real time when nobody waits, ahead of it when a host does; what a port and a bridge chip do meanwhile."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import serial
from virtual_tools import TAG, StartBoard, ask, greet, open_port, until, whole_flash

from sinehil.virtual import VirtualUno

pytestmark = pytest.mark.board

CPU_HZ = 16_000_000
CATCHING_UP = CPU_HZ // 4  # after the machine had no time for the board
BOOTLOADER_START = 0x7E00
# UCSR0A = U2X0, UBRR0L = 16, UCSR0B = TXEN0; then for ever: wait for UDRE0, UDR0 = 'x'
CHATTER = bytes.fromhex("02e0 0093c000 00e1 0093c400 08e0 0093c100 08e7 1091c000 15ff fccf 0093c600 f9cf")


TWO_MARKS = bytes.fromhex("0ebb" + "0000" * 5 + "0ebb ffcf")  # out GPIOR0, r16; five nops; the same; for ever


def board_with(start_board: StartBoard, tmp_path: Path, program: bytes) -> VirtualUno:
    image = tmp_path / "flash.bin"
    image.write_bytes(whole_flash(program))
    return start_board(flash_image=image)


def test_a_sketch_that_never_stops_printing_runs_in_real_time(
    start_board: StartBoard, tmp_path: Path
) -> None:
    """Else a plotter's lines come too fast and an idle board burns a core."""
    board = board_with(start_board, tmp_path, CHATTER)
    until(lambda: board.control.stats().sent > 100, "the first words")
    begin, before = time.monotonic(), board.control.stats()
    until(lambda: board.control.stats().sent > before.sent + 20_000, "1.7 seconds of words")
    ran = board.control.stats().cycles - before.cycles
    assert ran <= (time.monotonic() - begin) * CPU_HZ + CATCHING_UP


def test_a_host_is_served_at_the_line_s_pace_in_simulated_time(
    board: VirtualUno, link: serial.Serial
) -> None:
    """However fast it goes in real time: 20 kB take 1.7 simulated seconds and nothing is lost."""
    before, n = board.control.stats(), 20_000
    assert ask(link, b"\x80" * n, n) == b"\x80" * n
    after = board.control.stats()
    assert after.cycles - before.cycles >= n * 10 * CPU_HZ // 117_647 - CPU_HZ // 100
    assert after.overruns == before.overruns


def test_opens_and_closes_in_a_bunch_do_not_hide_the_next_open(board: VirtualUno) -> None:
    """The kernel merges equal events in a row: three opens may be told as one, and three closes too."""
    for _ in range(10):
        bunch = [os.open(board.port, os.O_RDWR | os.O_NOCTTY) for _ in range(3)]
        until(lambda: board.control.stats().opens > 0, "the opens")
        for opened in bunch:
            os.close(opened)
        until(lambda: board.control.stats().opens == 0, "the closes")
        resets = board.control.stats().resets
        with open_port(board.port):
            until(reset_again(board, resets), "a reset by the next open")
        until(lambda: board.control.stats().opens == 0, "the close")
    with open_port(board.port) as link:
        greet(link, TAG)


def reset_again(board: VirtualUno, resets: int) -> Callable[[], bool]:
    return lambda: board.control.stats().resets > resets


def test_bytes_written_at_once_after_an_open_come_after_its_reset(board: VirtualUno) -> None:
    """The reset would throw them away, were it taken later: every one of them must reach the line."""
    for _ in range(20):
        before = board.control.stats()
        with open_port(board.port) as link:
            link.write(b"\x00\x01\x00")
            until(received(board, before.received + 3), "three bytes on the line")
            assert board.control.stats().resets == before.resets + 1


def received(board: VirtualUno, total: int) -> Callable[[], bool]:
    return lambda: board.control.stats().received >= total


def test_a_stalled_chip_loses_bytes_but_the_port_takes_them(board: VirtualUno, link: serial.Serial) -> None:
    """A real Uno's USB bridge is a chip of its own."""
    board.control.stall()
    assert link.write(b"\x80" * 200_000) == 200_000
    until(lambda: board.control.stats().lost >= 190_000, "the loss")
    assert link.read(1) == b""
    board.control.resume()
    greet(link, TAG)


def test_the_bootloader_cannot_be_overwritten(board: VirtualUno) -> None:
    """An Uno's lock bits say so; without them one wrong address would end all uploads."""
    for word_address in (BOOTLOADER_START // 2, 0x7FC0, 0x7FFF):  # itself, behind flash, the farthest Z
        with bootloader(board) as link:
            set_address = bytes([0x55, word_address & 0xFF, word_address >> 8, 0x20])
            assert ask(link, set_address, 2) == b"\x14\x10"
            assert ask(link, bytes([0x64, 0, 128, 0x46]) + bytes(128) + b" ", 2) == b"\x14\x10"
    with bootloader(board):
        assert board.control.stats().flash_writes > 0
    with open_port(board.port) as link:
        greet(link, TAG)


def bootloader(board: VirtualUno) -> serial.Serial:
    """Return an open port on which Optiboot has answered: asked once, after it has blinked."""
    before = board.control.stats()
    link = open_port(board.port)
    until(lambda: board.control.stats().resets > before.resets, "the reset")
    start = board.control.stats().cycles
    until(lambda: board.control.stats().cycles > start + CPU_HZ // 2, "the blinking")
    assert ask(link, b"0 ", 2) == b"\x14\x10"
    return link


def test_a_path_longer_than_a_socket_s_name_will_do(start_board: StartBoard, tmp_path: Path) -> None:
    board = start_board(link=tmp_path / ("f" * 60) / ("g" * 60) / "uno")
    assert board.control.stats().plugged


def test_waiting_ends_when_the_board_is_ended(start_board: StartBoard, runtime: Path) -> None:
    board = start_board()
    os.kill(int(next(iter(runtime.glob("*.json"))).stem), 15)
    board.wait()
    assert list(runtime.iterdir()) == []


def test_marks_measure_firmware_to_the_cycle(start_board: StartBoard, tmp_path: Path) -> None:
    board = board_with(start_board, tmp_path, TWO_MARKS)
    until(
        lambda: board.control.stats().marks % 2 == 0 and board.control.stats().mark_span == 6, "1 + 5 cycles"
    )


def test_questions_do_not_make_time_run_faster(board: VirtualUno) -> None:
    cycles, started = board.control.stats().cycles, time.monotonic()
    while time.monotonic() - started < 0.5:
        board.control.stats()
    simulated_s = (board.control.stats().cycles - cycles) / 16e6
    assert simulated_s < 1.2 * (time.monotonic() - started)
