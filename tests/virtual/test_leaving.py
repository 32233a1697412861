"""A board that comes back under another name, and one that leaves by itself: what USB of one's own brings about."""

from collections.abc import Callable
from pathlib import Path

import pytest
import serial
from virtual_tools import TAG, ask, convert, greet, open_port, until, upload

from sinehil.arduino.serial_ports import virtual_boards
from sinehil.errors import LinkError
from sinehil.virtual import VirtualUno

pytestmark = pytest.mark.board


def test_a_board_comes_back_under_another_name(board: VirtualUno, link: serial.Serial, runtime: Path) -> None:
    first, second = Path(board.port), Path(board.port).with_name("uno-again")
    board.control.rename(second.name)
    assert ask(link, b"\x80", 1) == b"\x80", "until it is unplugged nothing changes"
    assert first.is_symlink() and not second.is_symlink()
    serial_number = virtual_boards(runtime)[str(first)]["properties"]
    board.control.unplug()
    board.control.plug()
    assert second.is_symlink() and not first.is_symlink()
    assert virtual_boards(runtime)[str(second)]["properties"] == serial_number
    with open_port(str(second)) as again:
        greet(again, TAG)
    board.stop()
    assert not second.is_symlink() and not board.control.path.exists()


@pytest.mark.parametrize("name", ["", "../uno", "/tmp/uno", "theirs", "dangling"])
def test_a_name_that_is_taken_or_none_is_refused(board: VirtualUno, name: str) -> None:
    folder = Path(board.port).parent
    (folder / "theirs").write_text("theirs")
    (folder / "dangling").symlink_to("nowhere")
    with pytest.raises(LinkError, match="refused"):
        board.control.rename(name)
    board.control.unplug()
    board.control.plug()
    assert Path(board.port).is_symlink() and (folder / "theirs").read_text() == "theirs"


def test_a_board_leaves_at_the_end_of_an_upload_and_not_before(
    board: VirtualUno, probe_elf: Callable[[int], Path]
) -> None:
    board.control.unplug_after_upload()
    with open_port(board.port) as opened:
        greet(opened, TAG)
    until(lambda: board.control.stats().opens == 0, "the close that ends no upload")
    assert board.control.stats().plugged
    assert upload(board.port, convert(probe_elf(12), "ihex")).returncode == 0
    until(lambda: not board.control.stats().plugged, "the board's leaving")
    board.control.plug()
    with open_port(board.port) as opened:
        greet(opened, 12)
    until(lambda: board.control.stats().opens == 0, "the close")
    assert board.control.stats().plugged, "once is enough"
