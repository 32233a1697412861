"""Failures to open a port, each on a real file of its kind."""

import grp
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sinehil.board import transport
from sinehil.board.transport import SerialTransport, check_port
from sinehil.errors import ExitCode, LinkError

NOBODY = 65534


@pytest.fixture
def slave() -> Iterator[Path]:
    master, descriptor = pty.openpty()
    yield Path(os.ttyname(descriptor))
    os.close(master)
    os.close(descriptor)


def test_a_free_port_opens(slave: Path) -> None:
    check_port(str(slave))


def test_a_missing_port_points_to_the_list() -> None:
    with pytest.raises(LinkError, match="there is no port /dev/nothing") as caught:
        check_port("/dev/nothing")
    assert "sinehil ports" in caught.value.next_step and caught.value.exit_code is ExitCode.LINK


def test_a_busy_port_says_so(slave: Path) -> None:
    with SerialTransport(str(slave)), pytest.raises(LinkError, match=f"in use by process {os.getpid()} "):
        check_port(str(slave))


def test_a_file_is_no_port(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LinkError, match="cannot open"):
        check_port(str(tmp_path / "file"))


@pytest.mark.skipif(os.getuid() != 0, reason="taking away one's permission takes root")
def test_no_permission_names_the_group(slave: Path) -> None:
    group = grp.getgrnam("dialout")
    os.chown(slave, 0, group.gr_gid)
    slave.chmod(0o660)
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        with pytest.raises(LinkError, match="no permission to open") as caught:
            check_port(str(slave))
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)
    assert "usermod -aG dialout" in caught.value.next_step


def test_a_port_that_vanishes_is_a_link_error() -> None:
    master, descriptor = pty.openpty()
    with SerialTransport(os.ttyname(descriptor)) as transport:
        os.close(descriptor)
        os.close(master)
        with pytest.raises(LinkError, match="went away"):
            transport.read(1.0)


def test_a_port_that_takes_no_more_bytes_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody reads: a first write that is late is let pass.

    Both writes are more than the kernel ever holds: a full buffer may have room for a few bytes a moment later.
    """
    monkeypatch.setattr(transport, "WRITE_TIMEOUT_S", 0.1)
    more_than_fits = b"." * (1 << 20)
    master, descriptor = pty.openpty()
    with SerialTransport(os.ttyname(descriptor)) as port:
        port.write(more_than_fits)
        with pytest.raises(LinkError, match="takes no more bytes") as caught:
            port.write(more_than_fits)
        assert caught.value.exit_code is ExitCode.LINK and caught.value.next_step
    os.close(descriptor)
    os.close(master)


WRITES = """
import sys
from sinehil.board import transport
transport.WRITE_TIMEOUT_S = 0.05
with transport.SerialTransport(sys.argv[1]) as port:
    for _ in range(int(sys.argv[2])):
        port.write(b"." * 100)
"""


def test_a_process_that_is_stopped_while_it_writes_goes_on() -> None:
    """As by Ctrl-Z: its time is over when it comes back."""
    master, descriptor = pty.openpty()
    command = [sys.executable, "-c", WRITES, os.ttyname(descriptor), "20000"]
    os.close(descriptor)
    os.set_blocking(master, False)
    received = stops = 0
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            try:
                received += len(os.read(master, 4096))
            except OSError:  # nothing there, or nobody
                time.sleep(0.0002)
            if received > (stops + 1) * 100_000:
                process.send_signal(signal.SIGSTOP)
                time.sleep(0.08)
                process.send_signal(signal.SIGCONT)
                stops += 1
        assert process.stderr is not None
        assert process.returncode == 0, process.stderr.read()
    assert stops > 10 and received > 1_800_000
    os.close(master)
