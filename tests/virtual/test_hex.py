"""The board's own reader of Intel HEX, driven through ``--bootloader``."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest


def record(kind: int, address: int, data: bytes) -> str:
    body = bytes([len(data), address >> 8, address & 0xFF, kind]) + data
    return f":{body.hex().upper()}{-sum(body) & 0xFF:02X}"


DATA = record(0, 0x7E00, b"\xff\xcf" * 8)  # rjmp to itself
END = record(1, 0, b"")
Start = Callable[[str], subprocess.CompletedProcess[str]]


@pytest.fixture
def start(programs: tuple[Path, Path], tmp_path: Path) -> Start:
    """Return a function that starts a board on a bootloader's text and ends it by the end of its stdin."""

    def run(text: str) -> subprocess.CompletedProcess[str]:
        hex_file = tmp_path / "boot.hex"
        hex_file.write_text(text)
        command = [programs[0], "--bootloader", hex_file, "--link", tmp_path / "p", "--until-stdin-closes"]
        return subprocess.run(command, input="", capture_output=True, text=True, timeout=30, check=False)

    return run


@pytest.mark.parametrize(
    "lines",
    [
        [DATA, END],
        [DATA, record(3, 0, bytes([0, 0, 0x7E, 0])), END],
        [DATA, record(5, 0, bytes([0, 0, 0x7E, 0])), END],
        [record(2, 0, b"\0\0"), DATA, END],
        [record(4, 0, b"\0\0"), DATA.lower(), END],
    ],
    ids=["plain", "start segment, type 03", "start linear, type 05", "base, type 02", "base, type 04"],
)
def test_what_linkers_write_is_read(start: Start, lines: list[str]) -> None:
    done = start("\n".join(lines) + "\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert '"ready":true' in done.stdout


@pytest.mark.parametrize(
    "text",
    [
        DATA[:-1] + ("0" if DATA[-1] != "0" else "1") + "\n" + END,
        DATA[:20] + "\n" + END,
        DATA.replace(":", ";") + "\n" + END,
        DATA[:11] + "XY" + DATA[13:],
        "",
        END,
        "\x7fELF\x02\x01\x01",
        ":" + "F" * 5000,
    ],
    ids=["checksum", "cut short", "no colon", "not hex", "empty file", "no data", "ELF", "endless line"],
)
def test_a_damaged_file_is_refused(start: Start, text: str) -> None:
    done = start(text)
    assert done.returncode == 1
    assert "ready" not in done.stdout


def test_a_file_that_is_not_there_is_named(programs: tuple[Path, Path], tmp_path: Path) -> None:
    command = [programs[0], "--bootloader", tmp_path / "none.hex", "--link", tmp_path / "p"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert "none.hex" in done.stderr
