"""Our own dockerd: it starts where it can, and nothing of it is left, however the tests end."""

import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.container import daemon
from tests.container.engine import ROOT, Engine
from tests.container.refusal import CannotRunError

pytestmark = [pytest.mark.extended, pytest.mark.container, pytest.mark.slow, pytest.mark.timeout(2400)]

HOLD = """
import signal, sys
from pathlib import Path
from tests.container.daemon import own_daemon
with own_daemon(Path(sys.argv[1])):
    print("up", flush=True)
    signal.pause()
"""


@pytest.fixture
def state(engine: Engine) -> Iterator[Path]:
    """A state folder of this test's own, with a short name."""
    if not engine.is_ours:
        pytest.skip("this machine's own engine is used, so none is ever started")
    folder = Path(tempfile.mkdtemp(prefix="sinehil-")).resolve()
    yield folder
    left = remains(folder)
    daemon.end_left_behind(folder)
    shutil.rmtree(folder)
    assert left == []


def remains(state: Path) -> list[str]:
    """Return the processes and mounts that belong to ``state``."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace")
        except OSError:  # ended meanwhile
            continue
        found += [words] if f"{state}/" in words else []
    return found + [
        line for line in Path("/proc/self/mounts").read_text().splitlines() if f"{state}/" in line
    ]


def storage_driver(engine: Engine, address: str) -> str:
    return engine.docker("-H", address, "info", "--format", "{{.Driver}}").stdout.strip()


def test_a_second_engine_runs_beside_the_first_and_leaves_nothing(state: Path, engine: Engine) -> None:
    with daemon.own_daemon(state) as address:
        assert storage_driver(engine, address) in daemon.DRIVERS
        assert remains(state)
        assert engine.docker("version").code == 0
    assert remains(state) == []
    assert engine.docker("version").code == 0


def test_the_next_storage_driver_is_tried(state: Path, engine: Engine) -> None:
    with daemon.own_daemon(state, ("no-such-driver", "vfs")) as address:
        assert storage_driver(engine, address) == "vfs"


def test_a_dockerd_that_cannot_start_says_why(state: Path) -> None:
    with (
        pytest.raises(CannotRunError, match=r"did not start: .*driver not supported"),
        daemon.own_daemon(state, ("no-such-driver",)),
    ):
        raise AssertionError("it cannot have started")


def test_a_folder_too_long_for_sockets_is_refused(state: Path) -> None:
    with (
        pytest.raises(CannotRunError, match="SINEHIL_CONTAINER_STATE"),
        daemon.own_daemon(state / ("x" * 60)),
    ):
        raise AssertionError("it cannot have started")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_dockerd_ends_with_the_tests(state: Path, number: signal.Signals) -> None:
    """Ctrl-C and both ways of `kill`; what is left then is mounts, which the next run unmounts."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, state], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as tests:
        assert tests.stdout is not None and tests.stdout.readline() == b"up\n"
        with daemon.opened(int((state / "d.pid").read_text())) as dockerd:
            tests.send_signal(number)
            assert tests.wait(60) != 0
            assert daemon.has_ended(dockerd, daemon.STOP_TIMEOUT_S)
    daemon.end_left_behind(state)


def test_a_dockerd_that_was_left_behind_is_ended(state: Path) -> None:
    orphan = daemon.start(state, "vfs")
    assert daemon.answers_in_time(state, orphan)
    daemon.end_left_behind(state)
    assert orphan.wait(0) == 0


def test_a_stranger_with_the_old_number_is_let_alone(state: Path) -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as stranger:
        (state / "d.pid").write_text(str(stranger.pid))
        daemon.end_left_behind(state)
        assert stranger.poll() is None
