"""Failures to open a port, each on a real file of its kind."""

import grp
import os
import pty
from collections.abc import Iterator
from pathlib import Path

import pytest

from sinehil.errors import ExitCode, LinkError
from sinehil.transport import SerialTransport, check_port

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
