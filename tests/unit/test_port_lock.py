"""One program at a time on a port: who has it is named, whoever asks, and nothing is left of one that was killed."""

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import MountTmpfs

from sinehil.errors import ExitCode, LinkError
from sinehil.port_lock import PortLock
from sinehil.transport import SerialTransport, check_port

NOBODY = 65534
LOCK = "from sinehil.port_lock import PortLock; held = PortLock.acquire"
OPEN = "import os; os.open(port, os.O_RDWR | os.O_NOCTTY)"
WITH_FLOCK = f"{OPEN.replace('os.open', 'held = os.open')}; import fcntl; fcntl.flock(held, fcntl.LOCK_EX)"
HOLD = "print('held', flush=True); input()"
as_root = pytest.mark.skipif(os.getuid() != 0, reason="another user takes root")


@pytest.fixture
def slave() -> Iterator[str]:
    master, descriptor = pty.openpty()
    name = os.ttyname(descriptor)
    os.close(descriptor)
    yield name
    os.close(master)


class Holder:
    """Another process that runs ``code``, in which ``port`` is a port, and stays until it is ended."""

    def __init__(self, port: str, code: str) -> None:
        program = f"import sys; port = sys.argv[1]; {code}; {HOLD}"
        command = [sys.executable, "-c", program, port]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "held\n"

    def __enter__(self) -> int:
        return self.process.pid

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


@pytest.mark.parametrize("code", [f"{LOCK}(port)", OPEN, WITH_FLOCK], ids=["sinehil", "no lock", "flock"])
def test_who_has_a_port_is_named(slave: str, code: str) -> None:
    with Holder(slave, code) as pid:
        for take in (check_port, PortLock.acquire):
            with pytest.raises(LinkError, match=rf"in use by process {pid} \(.*python") as caught:
                take(slave)
            assert caught.value.exit_code is ExitCode.LINK and caught.value.next_step
    check_port(slave)


@as_root
@pytest.mark.parametrize("code", [f"{LOCK}(port)", WITH_FLOCK], ids=["sinehil", "flock"])
def test_another_users_program_is_named_too(slave: str, code: str) -> None:
    """``/proc`` shows a user no other's descriptors, but who locks what."""
    Path(slave).chmod(0o666)
    with Holder(slave, code) as pid:
        os.setegid(NOBODY)
        os.seteuid(NOBODY)
        try:
            with pytest.raises(LinkError, match=rf"in use by process {pid} \(.*python"):
                check_port(slave)
        finally:
            os.seteuid(0)
            os.setegid(0)
    check_port(slave)


def test_ptys_with_the_same_number_in_two_containers_are_two_ports(
    slave: str, mount_tmpfs: MountTmpfs
) -> None:
    """Each container has its own file system for them; with the host's network they share our lock's names."""
    container = mount_tmpfs("newinstance,ptmxmode=0666", "devpts")
    number = int(Path(slave).name)
    masters = [os.open(container / "ptmx", os.O_RDWR | os.O_NOCTTY) for _ in range(number + 1)]
    try:
        theirs = container / str(number)
        assert theirs.stat().st_rdev == Path(slave).stat().st_rdev
        with PortLock.acquire(slave), PortLock.acquire(str(theirs)):
            pass
    finally:
        for master in masters:
            os.close(master)


def test_all_names_of_a_device_are_one_port(slave: str, tmp_path: Path) -> None:
    link = tmp_path / "by-id"
    link.symlink_to(slave)
    with (
        Holder(slave, f"{LOCK}(port)") as pid,
        pytest.raises(LinkError, match=f"{link} is in use by .* {pid} "),
    ):
        check_port(str(link))


def test_a_url_is_a_port_too() -> None:
    url = "socket://127.0.0.1:9"
    with Holder(url, f"{LOCK}(port)") as pid:
        with pytest.raises(LinkError, match=f"{url} is in use by process {pid} "):
            check_port(url)
        PortLock.acquire("socket://127.0.0.1:10").release()


def test_a_killed_holder_leaves_nothing(slave: str) -> None:
    for _ in range(5):
        holder = Holder(slave, "from sinehil.transport import SerialTransport; held = SerialTransport(port)")
        os.kill(holder.process.pid, signal.SIGKILL)
        holder.process.communicate()
        check_port(slave)


def test_many_who_ask_in_vain_do_not_make_a_holder_nameless(slave: str) -> None:
    with Holder(slave, f"{LOCK}(port)") as pid:
        for _ in range(500):
            with pytest.raises(LinkError, match=f"process {pid} "):
                PortLock.acquire(slave)


def test_a_port_opened_again_is_still_held(slave: str) -> None:
    with SerialTransport(slave) as transport:
        transport.reopen()
        with pytest.raises(LinkError, match=f"process {os.getpid()} "):
            check_port(slave)
    check_port(slave)


def test_what_is_in_a_command_line_does_not_reach_the_terminal(slave: str) -> None:
    with Holder(slave, f"'\x1b[31m\\n'; {LOCK}(port)"), pytest.raises(LinkError) as caught:
        check_port(slave)
    assert caught.value.message.isprintable() and "?[31m" in caught.value.message
