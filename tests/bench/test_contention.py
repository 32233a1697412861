"""Two commands on one port: the second says who holds it and changes nothing, whichever they are."""

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.bench.conftest import DEADLINE_S, Bench, until
from tests.bench.marked_run import Run, started
from tests.conftest import need_namespaces
from tests.serial_over_tcp import bridged

pytestmark = pytest.mark.board

STAYS_OPEN = (
    "import os, sys; os.open(sys.argv[1], os.O_RDONLY | os.O_NOCTTY); print('open', flush=True); input()"
)


def refused(bench: Bench, command: str, pid: int) -> None:
    """Hold a command to its refusal: LINK, and the holder by number and name."""
    done = bench.cli(command, "--port", bench.port, *bench.words())
    assert done.returncode == 3, (done.returncode, done.stderr)
    assert f"sinehil: {bench.port} is in use by process {pid} (" in done.stderr, done.stderr


def ends_well(run: Run) -> None:
    _, stderr = run.process.communicate(timeout=DEADLINE_S)
    assert run.process.returncode == 0, stderr


@contextlib.contextmanager
def paused(run: Run) -> Iterator[int]:
    """Keep a command in the middle of its work, so that the others have all the time they need."""
    run.process.send_signal(signal.SIGSTOP)
    try:
        yield run.process.pid
    finally:
        run.process.send_signal(signal.SIGCONT)


@pytest.fixture
def idle(flashed: Bench) -> Bench:
    """The board that all tests share, if it can be watched."""
    if flashed.control is None:
        pytest.skip("a real board does not say what it receives")
    return flashed


def test_during_a_verify(idle: Bench, tmp_path: Path) -> None:
    assert idle.control is not None
    control = idle.control
    words = ["--mode", "samples", "--samples", 3000, *idle.words()]
    received = control.stats().received
    with started("verify", "--port", idle.port, *words, cwd=tmp_path) as run:
        until(lambda: control.stats().received > received + 1000, "its middle")
        with paused(run) as holder:
            before = control.stats()
            refused(idle, "verify", holder)
            refused(idle, "flash", holder)
            after = control.stats()
            assert (after.resets, after.flash_writes) == (before.resets, before.flash_writes)
        ends_well(run)


def test_during_a_flash(victim: Bench, tmp_path: Path) -> None:
    """avrdude takes no lock: `flash` holds one while it works."""
    assert victim.control is not None
    control = victim.control
    received = control.stats().received
    with started("flash", "--port", victim.port, *victim.words(), cwd=tmp_path) as run:
        until(lambda: control.stats().received > received + 100, "the upload")
        with paused(run) as holder:  # avrdude works on
            refused(victim, "verify", holder)
            refused(victim, "flash", holder)
        ends_well(run)
    done = victim.cli("verify", "--port", victim.port, *victim.words())
    assert done.returncode == 0, done.stderr


def test_during_a_flash_from_a_container(victim: Bench, tmp_path: Path) -> None:
    """One that shares no network with the holder, sees none of its processes, and has the host's /dev."""
    assert victim.control is not None
    need_namespaces("--net", "--mount", "--pid", "--fork")
    control = victim.control
    received = control.stats().received
    inside = [
        "unshare",
        "--net",
        "--mount",
        "--pid",
        "--fork",
        "--mount-proc",
        sys.executable,
        "-m",
        "sinehil",
    ]
    with started("flash", "--port", victim.port, *victim.words(), cwd=tmp_path) as run:
        until(lambda: control.stats().received > received + 100, "the upload")
        with paused(run):
            before = control.stats().resets
            for name in ("verify", "flash"):
                words = [name, "--port", victim.port, *map(str, victim.words())]
                done = subprocess.run([*inside, *words], capture_output=True, text=True, cwd=tmp_path)
                assert done.returncode == 3, (done.returncode, done.stderr)
                assert f"sinehil: {victim.port} is in use by another program" in done.stderr, done.stderr
            assert control.stats().resets == before
        ends_well(run)


def test_another_programs_open_port(idle: Bench) -> None:
    """A terminal program without any lock would steal replies; as root, TIOCEXCL would not keep us apart."""
    command = [sys.executable, "-c", STAYS_OPEN, idle.port]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as monitor:
        assert monitor.stdout is not None and monitor.stdout.readline() == b"open\n"
        for name in ("verify", "flash"):
            refused(idle, name, monitor.pid)
        monitor.communicate(b"\n")
    done = idle.cli("verify", "--port", idle.port, *idle.words())
    assert done.returncode == 0, done.stderr


def test_two_clients_of_one_server(idle: Bench, tmp_path: Path) -> None:
    """A server has one client at a time; the second on this machine is told who that is, instead of silence."""
    assert idle.control is not None
    control = idle.control
    with bridged(idle.port, "socket") as url:
        served = replace(idle, port=url)
        received = control.stats().received
        words = ["--mode", "samples", "--samples", 500, *idle.words()]
        with started("verify", "--port", url, *words, cwd=tmp_path) as run:
            until(lambda: control.stats().received > received + 1000, "its middle")
            with paused(run) as holder:
                refused(served, "verify", holder)
            ends_well(run)
