"""Beginning and end of boards: links, the registry, signals, two at once."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from virtual_tools import TAG, StartBoard, ask, greet, open_port, until

from sinehil.arduino.serial_ports import virtual_boards
from sinehil.errors import LinkError, ToolError
from sinehil.virtual import VirtualUno

pytestmark = pytest.mark.board


def entry_of(board: VirtualUno, runtime: Path) -> Path:
    """Return the registry's file about ``board``."""
    return next(e for e in runtime.glob("*.json") if json.loads(e.read_text())["port"] == board.port)


def pid_of(board: VirtualUno, runtime: Path) -> int:
    return int(json.loads(entry_of(board, runtime).read_text())["pid_of_process"])


def has_ended(pid: int) -> bool:
    """Whether no process ``pid`` runs; one that nobody has waited for does not run."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def test_a_running_board_is_listed_with_an_uno_s_numbers(board: VirtualUno, runtime: Path) -> None:
    properties = virtual_boards(runtime)[board.port]["properties"]
    assert (properties["vid"], properties["pid"]) == ("0x2341", "0x0043")
    board.control.unplug()
    assert virtual_boards(runtime) == {}
    board.control.plug()
    assert set(virtual_boards(runtime)) == {board.port}


def test_stopping_leaves_nothing_behind(board: VirtualUno, runtime: Path) -> None:
    pid = pid_of(board, runtime)
    board.stop()
    board.stop()
    assert has_ended(pid)
    assert list(runtime.iterdir()) == []
    with pytest.raises(LinkError):
        board.control.stats()


def test_sigterm_ends_the_board_cleanly(programs: tuple[Path, Path], tmp_path: Path) -> None:
    link = tmp_path / "uno"
    command = [programs[0], "--bootloader", programs[1], "--link", link]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert b"ready" in process.stdout.readline()
        assert link.is_symlink()
        process.terminate()
        assert process.wait(timeout=10) == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_the_board_ends_with_the_program_that_started_it(runtime: Path, number: signal.Signals) -> None:
    lines = "from sinehil.virtual import VirtualUno\nprint(VirtualUno.start().port, flush=True)\ninput()"
    command = [sys.executable, "-c", lines]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, text=True, **pipes) as parent:  # type: ignore[call-overload]
        port = Path(parent.stdout.readline().strip())
        board = int(next(iter(runtime.glob("*.json"))).stem)
        assert port.exists()
        assert not has_ended(board)
        parent.send_signal(number)
        until(lambda: has_ended(board), "the board's end")
    assert not port.is_symlink()
    assert not Path(f"{port}.ctl").exists()
    assert list(runtime.iterdir()) == []


def test_the_next_board_clears_entries_left_behind(start_board: StartBoard, runtime: Path) -> None:
    runtime.mkdir()
    with subprocess.Popen(["/bin/true"]) as ended:
        ended.wait()
    stale = runtime / f"{ended.pid}.json"
    stale.write_text("{}")
    board = start_board()
    assert list(runtime.glob("*.json")) == [entry_of(board, runtime)]


def test_the_foreground_command_ends_by_sigint_without_a_trace(runtime: Path) -> None:
    command = [sys.executable, "-m", "sinehil", "virtual", "uno", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        result = b"".join(iter(process.stdout.readline, b"}\n")) + b"}"
        assert Path(json.loads(result)["port"]).exists()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=15) in (0, 130)
    assert list(runtime.iterdir()) == []


def test_two_boards_run_side_by_side(start_board: StartBoard, probe_flash: bytes, tmp_path: Path) -> None:
    image = tmp_path / "both.bin"
    image.write_bytes(probe_flash)
    first, second = start_board(flash_image=image), start_board(flash_image=image)
    assert first.port != second.port
    with open_port(first.port) as one, open_port(second.port) as two:
        greet(one, TAG)
        greet(two, TAG)
        second.control.stall()
        assert ask(one, b"\x81\x82", 2) == b"\x81\x82"
        assert (first.control.stats().opens, second.control.stats().opens) == (1, 1)


def test_a_link_that_is_taken_is_refused(start_board: StartBoard, tmp_path: Path) -> None:
    holder = start_board(link=tmp_path / "uno")
    with pytest.raises(ToolError, match="already runs") as caught:
        start_board(link=tmp_path / "uno")
    assert caught.value.exit_code == 5
    assert caught.value.next_step
    assert holder.control.stats().halted is False


def test_a_file_in_the_way_is_not_replaced(start_board: StartBoard, tmp_path: Path) -> None:
    mine = tmp_path / "uno"
    mine.write_text("mine")
    with pytest.raises(ToolError, match="not a virtual board's port"):
        start_board(link=mine)
    assert mine.read_text() == "mine"


def test_a_link_left_behind_is_replaced(start_board: StartBoard, tmp_path: Path, runtime: Path) -> None:
    killed = start_board(link=tmp_path / "uno")
    pid = pid_of(killed, runtime)
    os.kill(pid, signal.SIGKILL)
    until(lambda: has_ended(pid), "the kill")
    assert Path(killed.port).is_symlink()
    assert killed.control.path.exists()
    fresh = start_board(link=tmp_path / "uno")
    with open_port(fresh.port):
        until(lambda: fresh.control.stats().opens == 1, "the open")


def test_a_link_whose_folder_cannot_be_made_is_a_tool_error(start_board: StartBoard, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ToolError, match="cannot make"):
        start_board(link=tmp_path / "file" / "uno")


def test_a_link_too_long_for_a_socket_is_a_tool_error(start_board: StartBoard, tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="did not start") as caught:
        start_board(link=tmp_path / ("u" * 120))
    assert "longer than a socket's name" in caught.value.output
