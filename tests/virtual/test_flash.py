"""Flash: blank, written by the real avrdude through the real Optiboot, and kept in a file."""

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from virtual_tools import (
    FLASH_BYTES,
    TAG,
    StartBoard,
    ask,
    convert,
    greet,
    open_port,
    says_hello,
    until,
    upload,
    upload_command,
    whole_flash,
)

from sinehil.virtual import VirtualUno

pytestmark = pytest.mark.board

BOOTLOADER_START = 0x7E00
JUMP_TO_THE_LAST_WORD = bytes.fromhex("0c94ff3f")
READ_AT_FF_FFFF_FOR_EVER = bytes.fromhex("0fef 002e ffef 0790 fccf")  # r0 stands for RAMPZ; elpm r0, Z+
INVALID_FOR_EVER = bytes.fromhex("0100fecf")
SET_STACK_POINTER_AND_CALL = bytes.fromhex("debf cdbf 00d0 ffcf")  # then loop for ever
STACKS_OUTSIDE = {
    "above": bytes.fromhex("cfef d1e2") + SET_STACK_POINTER_AND_CALL,  # r29:r28 = 0x21ff
    "below": bytes.fromhex("c1e0 d0e0") + SET_STACK_POINTER_AND_CALL,  # 1
    "grown out": bytes.fromhex("ffdf"),  # rcall to itself until the stack is all memory
}
ProbeElf = Callable[[int], Path]


def sketch_was_started(board: VirtualUno) -> bool:
    """Whether Optiboot's second is over; then it gives up by the watchdog."""
    return board.control.stats().watchdog_resets > 0


def test_a_blank_chip_is_silent_and_takes_an_upload(start_board: StartBoard, probe_elf: ProbeElf) -> None:
    board = start_board()
    until(lambda: sketch_was_started(board), "the end of the bootloader's second")
    with open_port(board.port) as link:
        assert all(says_hello(link) is None for _ in range(5))
    done = upload(board.port, convert(probe_elf(TAG), "ihex"))
    assert done.returncode == 0, done.stderr
    assert "bytes of flash verified" in done.stderr
    before = board.control.stats()
    with open_port(board.port) as link:
        greet(link, TAG)
        ask(link, b"\x80\x81", 2)
    assert board.control.stats().crashes == before.crashes


def test_a_crashed_chip_halts_is_counted_and_takes_an_upload(
    start_board: StartBoard, probe_elf: ProbeElf, tmp_path: Path
) -> None:
    """Running over the end of flash is a crash to simavr, which would end the simulation."""
    image = tmp_path / "flash.bin"
    image.write_bytes(whole_flash(JUMP_TO_THE_LAST_WORD))
    board = start_board(flash_image=image)
    until(lambda: board.control.stats().halted, "the crash")
    assert board.control.stats().crashes == 1
    board.control.reset()
    assert board.control.stats().halted is False
    until(lambda: board.control.stats().crashes == 2, "the crash after the reset")
    assert upload(board.port, convert(probe_elf(TAG), "ihex")).returncode == 0
    with open_port(board.port) as link:
        greet(link, TAG)
        assert board.control.stats().halted is False


@pytest.mark.parametrize("program", STACKS_OUTSIDE.values(), ids=STACKS_OUTSIDE.keys())
def test_a_stack_outside_ram_halts_the_chip_not_the_board(
    start_board: StartBoard, tmp_path: Path, program: bytes
) -> None:
    """A sketch compiled for a Mega begins so; simavr would write past its memory."""
    image = tmp_path / "flash.bin"
    image.write_bytes(whole_flash(program))
    board = start_board(flash_image=image)
    with open_port(board.port) as link:
        until(lambda: says_hello(link) is None and board.control.stats().halted, "the crash")
    assert board.control.stats().crashes == 1


def test_a_program_that_is_nonsense_does_not_choke_the_board(start_board: StartBoard, tmp_path: Path) -> None:
    """Simavr has words for each invalid instruction: they would fill a pipe, or a disk."""
    image = tmp_path / "flash.bin"
    image.write_bytes(whole_flash(INVALID_FOR_EVER))
    board = start_board(flash_image=image)
    until(lambda: sketch_was_started(board), "the sketch's start")
    start = board.control.stats().cycles
    until(lambda: board.control.stats().cycles > start + 1_000_000, "half a million invalid instructions")
    assert board.control.stats().crashes == 0


def test_a_read_far_behind_flash_does_not_end_the_board(start_board: StartBoard, tmp_path: Path) -> None:
    image = tmp_path / "flash.bin"
    image.write_bytes(whole_flash(READ_AT_FF_FFFF_FOR_EVER))
    board = start_board(flash_image=image)
    with open_port(board.port) as link:
        until(lambda: says_hello(link) is None and sketch_was_started(board), "the sketch's start")
    start = board.control.stats().cycles
    until(lambda: board.control.stats().cycles > start + 1_000_000, "a hundred thousand reads")
    assert board.control.stats().crashes == 0


def test_uploads_follow_each_other_on_the_same_path(start_board: StartBoard, probe_elf: ProbeElf) -> None:
    board = start_board()
    for tag in (11, 12, 13):
        done = upload(board.port, convert(probe_elf(tag), "ihex"))
        assert done.returncode == 0, done.stderr
        with open_port(board.port) as link:
            greet(link, tag)
            assert ask(link, b"\x80\xff", 2) == b"\x80\xff"


def test_an_upload_at_the_wrong_speed_fails_and_changes_nothing(
    board: VirtualUno, probe_elf: ProbeElf
) -> None:
    command = upload_command(board.port, convert(probe_elf(14), "ihex"), 57600)
    slow = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    with slow:
        try:
            until(lambda: board.control.stats().baud_errors > 3 or slow.poll() is not None, "its first words")
        finally:
            slow.terminate()
    assert slow.returncode != 0
    with open_port(board.port) as link:
        greet(link, TAG)


def test_flash_is_kept_from_one_start_to_the_next(
    start_board: StartBoard, probe_elf: ProbeElf, tmp_path: Path
) -> None:
    image = tmp_path / "kept.bin"
    first = start_board(flash_image=image)
    assert upload(first.port, convert(probe_elf(15), "ihex")).returncode == 0
    first.stop()
    assert image.stat().st_size == FLASH_BYTES
    program = convert(probe_elf(15), "binary").read_bytes()
    assert image.read_bytes().startswith(program)
    second = start_board(flash_image=image)
    with open_port(second.port) as link:
        greet(link, 15)


def test_an_upload_outlives_a_killed_board(
    start_board: StartBoard, probe_elf: ProbeElf, tmp_path: Path, runtime: Path
) -> None:
    """Flash is written when the port is closed, not only at the end."""
    image = tmp_path / "kept.bin"
    board = start_board(flash_image=image)
    assert upload(board.port, convert(probe_elf(16), "ihex")).returncode == 0
    until(image.exists, "the file")
    os.kill(int(next(iter(runtime.glob("*.json"))).stem), signal.SIGKILL)
    assert image.read_bytes().startswith(convert(probe_elf(16), "binary").read_bytes())


def test_a_board_without_a_flash_file_is_blank_at_every_start(
    start_board: StartBoard, probe_elf: ProbeElf
) -> None:
    first = start_board()
    assert upload(first.port, convert(probe_elf(17), "ihex")).returncode == 0
    first.stop()
    second = start_board()
    until(lambda: sketch_was_started(second), "the end of the bootloader's second")
    with open_port(second.port) as link:
        assert all(says_hello(link) is None for _ in range(5))


def test_the_bootloader_is_always_there(start_board: StartBoard, tmp_path: Path) -> None:
    image = tmp_path / "zeros.bin"
    image.write_bytes(bytes(FLASH_BYTES))
    board = start_board(flash_image=image)
    board.stop()
    kept = image.read_bytes()
    assert kept[:BOOTLOADER_START] == bytes(BOOTLOADER_START)
    assert any(kept[BOOTLOADER_START:])
