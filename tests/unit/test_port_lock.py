"""One program at a time on a port: who has it is named, whoever asks, and nothing is left of one that was killed."""

import contextlib
import os
import pty
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from tests.conftest import MountTmpfs, need_namespaces

from sinehil.base.deadline import Deadline
from sinehil.board import locks as port_lock
from sinehil.board.locks import PortLock, hold_node
from sinehil.board.transport import SerialTransport, check_port
from sinehil.errors import ExitCode, LinkError

NOBODY = 65534
LOCK = "from sinehil.board.locks import PortLock; held = PortLock.acquire"
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

    def __init__(self, port: str, code: str, inside: Sequence[str] = ()) -> None:
        program = f"import sys; port = sys.argv[1]; {code}; {HOLD}"
        command = [*inside, sys.executable, "-c", program, port]
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


@pytest.mark.parametrize("flags", ["-n", "-nm", "-nmpf"])
def test_a_port_held_in_another_network_namespace_is_held(slave: str, flags: str) -> None:
    """As by `docker run --network none --volume /dev:/dev`, whose processes cannot see ours."""
    need_namespaces(flags)
    with (
        Holder(slave, f"{LOCK}(port)", ["unshare", flags]),
        pytest.raises(LinkError, match=f"{slave} is in use by another program"),
    ):
        PortLock.acquire(slave)
    until_free(slave)


def until_free(port: str) -> None:
    """Return once a holder whose parent was killed has gone too; LinkError if it stays."""
    deadline = Deadline.after(10)
    while not deadline.expired:
        with contextlib.suppress(LinkError):
            return PortLock.acquire(port).release()
        time.sleep(0.01)
    return PortLock.acquire(port).release()


def test_two_devices_of_one_folder_are_two_ports_and_neither_is_opened() -> None:
    """An open that stays would keep a virtual board from its reset by the next one."""
    pairs = [pty.openpty() for _ in range(2)]
    names = [os.ttyname(slave) for _, slave in pairs]
    for _, slave in pairs:
        os.close(slave)
    with PortLock.acquire(names[0]), PortLock.acquire(names[1]):
        for master, _ in pairs:
            look = select.poll()
            look.register(master, 0)
            assert look.poll(0) == [(master, select.POLLHUP)]
        for name in names:
            with pytest.raises(BlockingIOError):
                hold_node(name)
    for name in names:
        held = hold_node(name)
        assert held is not None
        os.close(held)
    for master, _ in pairs:
        os.close(master)


def test_what_is_no_device_has_no_lock_on_its_node(tmp_path: Path) -> None:
    assert hold_node(str(tmp_path)) is hold_node(str(tmp_path / "missing")) is None


def test_long_names_are_told_apart_and_fit() -> None:
    ports = [f"socket://{'h' * 90}.example:{port}" for port in (2001, 2002)]
    ports += ["/missing/" + "\u00fc" * 60, "/missing/" + "\u00fc" * 61]
    with contextlib.ExitStack() as stack:
        for port in ports:
            stack.enter_context(PortLock.acquire(port))
        for port in ports:
            with pytest.raises(LinkError, match=f"in use by process {os.getpid()} "):
                PortLock.acquire(port)


def test_a_holder_that_does_not_listen_yet_is_waited_for_and_named(
    slave: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX) as holder:
        holder.bind(port_lock._name(slave))
        monkeypatch.setattr(time, "sleep", lambda _: holder.listen())
        with pytest.raises(LinkError, match=f"in use by process {os.getpid()} "):
            PortLock.acquire(slave)


def test_a_killed_holder_leaves_nothing(slave: str) -> None:
    for _ in range(5):
        holder = Holder(
            slave, "from sinehil.board.transport import SerialTransport; held = SerialTransport(port)"
        )
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
