"""A dockerd of our own: everything it has stands in one state folder, and it ends with the tests."""

import contextlib
import os
import select
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from sinehil.base.deadline import Deadline
from sinehil.base.tools import run
from tests.container.refusal import CannotRunError

SOCKET = "d.sock"
DRIVERS = ("overlay2", "vfs")
# Neither touches the machine's firewall nor needs one: builds and runs use the machine's network, or none.
NETWORK = ("--iptables=false", "--ip6tables=false", "--ip-forward=false", "--bridge=none")
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 45.0  # dockerd gives containers 15 s
POLL_S = 0.1
LONGEST_STATE = 60  # bytes; containerd's socket is 38 longer, and a socket's name has at most 107
ADMIN_PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"


def address(state: Path) -> str:
    """Return the DOCKER_HOST of the dockerd in ``state``."""
    return f"unix://{state / SOCKET}"


@contextlib.contextmanager
def own_daemon(state: Path, drivers: Sequence[str] = DRIVERS) -> Iterator[str]:
    """Run dockerd with the first storage driver that works; yield its DOCKER_HOST."""
    if len(os.fsencode(state)) > LONGEST_STATE:
        raise CannotRunError(
            f"{state} is too long for sockets; set SINEHIL_CONTAINER_STATE to a shorter folder"
        )
    for driver in drivers:
        process = start(state, driver)
        try:
            if answers_in_time(state, process):
                yield address(state)
                return
        finally:
            end(process.pid)
            process.wait()
            unmount_below(state)
    raise CannotRunError(f"dockerd did not start: {_last_words(state)}")


def command(state: Path, driver: str) -> list[str]:
    """Return the command of a dockerd that gets SIGTERM when the tests die, however they die."""
    (state / "daemon.json").write_text("{}\n")  # or the machine's own settings would contradict these
    dockerd = shutil.which("dockerd", path=ADMIN_PATH)
    if dockerd is None:
        raise CannotRunError("no container engine answers, and there is no dockerd to start")
    places = {
        "--data-root": "root",
        "--exec-root": "exec",
        "--pidfile": "d.pid",
        "--config-file": "daemon.json",
    }
    words = [word for option, name in places.items() for word in (option, str(state / name))]
    return ["setpriv", "--pdeathsig", "TERM", dockerd, "-H", address(state), *words, *NETWORK, "-s", driver]


def start(state: Path, driver: str) -> subprocess.Popen[bytes]:
    with (state / "dockerd.log").open("wb") as log:
        return subprocess.Popen(
            command(state, driver),
            env={**os.environ, "PATH": ADMIN_PATH},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for the tests, which then end dockerd
        )


def end_left_behind(state: Path) -> None:
    """End a dockerd that an earlier run left in ``state``; another process with its old number is let alone."""
    with contextlib.suppress(OSError, ValueError):
        pid = int((state / "d.pid").read_text())
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if words[0].endswith(b"dockerd") and os.fsencode(state / "root") in words:
            end(pid)
    unmount_below(state)


def end(pid: int) -> None:
    """Send SIGTERM and wait for the end of the process; SIGKILL only if that takes too long."""
    with contextlib.suppress(ProcessLookupError), opened(pid) as process:
        for number in (signal.SIGTERM, signal.SIGKILL):
            signal.pidfd_send_signal(process, number)
            if has_ended(process, STOP_TIMEOUT_S):
                return


@contextlib.contextmanager
def opened(pid: int) -> Iterator[int]:
    """Yield a descriptor of a process, which never comes to mean another one."""
    process = os.pidfd_open(pid)
    try:
        yield process
    finally:
        os.close(process)


def has_ended(process: int, timeout_s: float) -> bool:
    """Wait for the end of a process that was ``opened``."""
    return bool(select.select([process], [], [], timeout_s)[0])


def unmount_below(folder: Path) -> None:
    """Unmount what dockerd leaves mounted, innermost first."""
    points = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for point in reversed(points):
        if Path(point).is_relative_to(folder):
            run(["umount", point])


def answers_in_time(state: Path, process: subprocess.Popen[bytes]) -> bool:
    """Return whether dockerd answers on its socket before it ends or ``START_TIMEOUT_S`` are over."""
    deadline = Deadline.after(START_TIMEOUT_S)
    while not deadline.expired:
        if _answers(state):
            return True
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(POLL_S)
            return False
    return False


def _answers(state: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as link, contextlib.suppress(OSError):
        link.settimeout(START_TIMEOUT_S)
        link.connect(str(state / SOCKET))
        link.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
        return b" 200 " in link.recv(64)
    return False


def _last_words(state: Path) -> str:
    lines = (state / "dockerd.log").read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"
