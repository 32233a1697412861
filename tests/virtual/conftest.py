"""Boards that run tests/virtual/probe.c, straight from a flash image unless a test uploads it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import serial
from virtual_tools import TAG, StartBoard, compile_probe, convert, greet, open_port, whole_flash

from sinehil.virtual import VirtualUno, build_optiboot, build_virtual_board


@pytest.fixture(scope="session")
def programs() -> tuple[Path, Path]:
    """Return the simulator and the bootloader."""
    return build_virtual_board(), build_optiboot()


@pytest.fixture(scope="session")
def probe_elf(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """Return a function that compiles the probe with a tag."""
    folder = tmp_path_factory.mktemp("probe")
    return lambda tag: compile_probe(folder, tag)


@pytest.fixture(scope="session")
def probe_flash(probe_elf: Callable[[int], Path]) -> bytes:
    """Return a flash image with the probe named TAG."""
    return whole_flash(convert(probe_elf(TAG), "binary").read_bytes())


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of running boards that is only this test's; short, as socket names must be."""
    folder = tmp_path / "run"
    monkeypatch.setenv("SINEHIL_RUNTIME", str(folder))
    return folder


@pytest.fixture
def start_board(runtime: Path, programs: tuple[Path, Path]) -> Iterator[StartBoard]:
    """Return VirtualUno.start; every board it started ends with the test."""
    assert runtime and programs
    with ExitStack() as boards:
        yield lambda **named: boards.enter_context(VirtualUno.start(**named))


@pytest.fixture
def board(start_board: StartBoard, probe_flash: bytes, tmp_path: Path) -> VirtualUno:
    """Return a board that holds the probe."""
    image = tmp_path / "flash.bin"
    image.write_bytes(probe_flash)
    return start_board(flash_image=image)


@pytest.fixture
def link(board: VirtualUno) -> Iterator[serial.Serial]:
    """Return an open port on which the probe has answered."""
    with open_port(board.port) as opened:
        greet(opened, TAG)
        yield opened
