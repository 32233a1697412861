"""The simulator compiled strictly and with both sanitizers, through all that a host and a bench do to it."""

import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from virtual_tools import TAG, ask, convert, greet, open_port, says_hello, until

from sinehil.base.folders import resource
from sinehil.virtual import ControlClient
from sinehil.virtual.programs import BOARD_LIBRARIES

pytestmark = pytest.mark.board

STRICT = ["-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Werror"]
SANITIZED = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
# simavr itself never frees what it allocates.
ENVIRONMENT = {"ASAN_OPTIONS": "detect_leaks=0", "UBSAN_OPTIONS": "print_stacktrace=1"}


@pytest.fixture(scope="session")
def sanitized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the simulator with sanitizers."""
    program = tmp_path_factory.mktemp("sanitized") / "vboard"
    sources = sorted(str(path) for path in resource("hil/virtual_board").glob("*.c"))
    subprocess.run(["cc", *STRICT, *SANITIZED, *sources, "-o", str(program), *BOARD_LIBRARIES], check=True)
    return program


@pytest.fixture
def watched(
    sanitized: Path, programs: tuple[Path, Path], probe_flash: bytes, tmp_path: Path
) -> Iterator[tuple[str, ControlClient]]:
    """Return port and control of a sanitized board; it must end with code 0 and without a word."""
    link, image = tmp_path / "uno", tmp_path / "flash.bin"
    image.write_bytes(probe_flash)
    command = [sanitized, "--bootloader", programs[1], "--link", link, "--flash", image]
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, env={**os.environ, **ENVIRONMENT}, **pipes) as process:  # type: ignore[call-overload]
        try:
            assert b"ready" in process.stdout.readline()
            yield str(link), ControlClient(Path(f"{link}.ctl"))
        finally:
            process.terminate()
            _, words = process.communicate(timeout=20)
    assert (process.returncode, words) == (0, b"")


def test_open_echo_close_unplug_plug(watched: tuple[str, ControlClient]) -> None:
    port, control = watched
    for name in ("uno", "uno2", "uno"):
        with open_port(port) as link:
            greet(link, TAG)
            assert ask(link, b"\x80\x81\x82", 3) == b"\x80\x81\x82"
            control.unplug()
        if not port.endswith(name):
            control.rename("thought-better")
            control.rename(name)
        control.plug()
        port = str(Path(port).with_name(name))


def test_more_bytes_than_the_rings_hold(watched: tuple[str, ControlClient]) -> None:
    """A host that writes 90 kB to a chip that does not run, and does not read three bursts of its answers."""
    port, control = watched
    with open_port(port) as link:
        greet(link, TAG)
        control.stall()
        assert link.write(b"\x00" * 90_000) == 90_000
        control.resume()
        control.reset()
        greet(link, TAG)
        link.write(b"\x02" * 3)
        assert control.stats().halted is False


def test_every_command_and_nonsense(watched: tuple[str, ControlClient]) -> None:
    port, control = watched
    with open_port(port, 9600) as link:
        assert says_hello(link) is None
        commands: list[Callable[[], None]] = [control.reset, control.stall, control.resume]
        for command in commands:
            command()
        control.flip_flash_bit(32767, 7)
        for nonsense in (
            b"A" * 70_000,
            bytes(range(256)),
            b"flip 32768 0\n",
            b"flip 4294967295 4294967295\n",
        ):
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(10)
                client.connect(str(control.path))
                client.sendall(nonsense)
                assert client.recv(100).startswith(b"error")


@pytest.mark.slow
def test_an_upload(watched: tuple[str, ControlClient], probe_elf: Callable[[int], Path]) -> None:
    port, control = watched
    control.unplug_after_upload()
    options = ["-c", "arduino", "-p", "m328p", "-P", port, "-b", "115200", "-D"]
    program = convert(probe_elf(18), "ihex")
    command = ["avrdude", *options, "-U", f"flash:w:{program}:i"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    until(lambda: not control.stats().plugged, "the board's leaving")
    control.plug()
    with open_port(port) as link:
        greet(link, 18)


@pytest.mark.parametrize(
    "text", [":", ":FF7E0000", ":" + "F" * 5000, ":20FFFF00" + "00" * 32 + "E2", "\0" * 600]
)
def test_damaged_hex(sanitized: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / "boot.hex").write_text(text)
    command = [sanitized, "--bootloader", tmp_path / "boot.hex", "--link", tmp_path / "p"]
    done = subprocess.run(
        command, env={**os.environ, **ENVIRONMENT}, capture_output=True, timeout=30, check=False
    )
    assert done.returncode == 1
    assert b"Sanitizer" not in done.stderr and b"runtime error" not in done.stderr
