"""Ctrl-C and SIGTERM in the middle of each command that works long: 130, no process left, earlier files whole."""

import json
import signal
from pathlib import Path

import pytest

from sinehil.virtual import ControlClient
from tests.bench.conftest import DEADLINE_S, Bench, until
from tests.bench.marked_run import Run, started
from tests.sampling import first

pytestmark = pytest.mark.board

SIGNALS = [signal.SIGINT, signal.SIGTERM]
BOTH = pytest.mark.parametrize("number", SIGNALS)
EITHER = pytest.mark.parametrize("number", first(1, SIGNALS))  # they take the same way out, see test_bench


def interrupt(run: Run, number: signal.Signals, code: int = 130) -> None:
    """Send the signal and hold the command to what it promises."""
    assert run.process.poll() is None, run.process.communicate()
    run.process.send_signal(number)
    stdout, stderr = run.process.communicate(timeout=DEADLINE_S)
    assert run.process.returncode == code, (run.process.returncode, stderr)
    assert "Traceback" not in stderr
    if code:
        assert "sinehil: interrupted" in stderr
        assert json.loads(stdout)["error"]["exit_code"] == code
    left = run.programs()  # not waited for: a compiler that goes on ends by itself a little later
    assert not left or not run.programs(), f"left behind: {left}"


def images(*folders: Path) -> dict[Path, bytes]:
    """Return artefacts and images, not the records that the compiler writes at every run."""
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return {path: path.read_bytes() for path in files if "out" not in path.parts or path.suffix == ".hex"}


@EITHER
def test_compile(virtual: Bench, tmp_path: Path, number: signal.Signals) -> None:
    before = images(virtual.artifacts)
    words = ["--artifacts", virtual.artifacts, "--build", tmp_path / "build"]
    with started("compile", *words, cwd=tmp_path) as run:
        run.say_until("kernel")
        until(run.runs("arduino-cli"), "arduino-cli")
        until(run.runs("cc1plus"), "the compiler")
        interrupt(run, number)
    assert images(virtual.artifacts) == before
    for torn in (tmp_path / "build").rglob("*.o"):  # as the one is that was being written
        torn.write_bytes(b"")
    again = virtual.cli("compile", *words)
    assert again.returncode == 0, again.stderr


@EITHER
def test_flash(victim: Bench, tmp_path: Path, number: signal.Signals) -> None:
    """In the middle of the upload: then the board holds half an image, and flashing again makes it whole."""
    assert victim.control is not None
    control, before = victim.control, images(victim.artifacts, victim.build)
    received = control.stats().received
    with started("flash", "--port", victim.port, *victim.words(), cwd=tmp_path) as run:
        run.say_until("compile")
        until(lambda: control.stats().received > received + 1000, "the upload")
        assert run.runs("avrdude")()
        interrupt(run, number)
    until(lambda: control.stats().opens == 0, "the port's release")
    assert images(victim.artifacts, victim.build) == before
    for command in ("flash", "verify"):
        again = victim.cli(command, "--port", victim.port, *victim.words())
        assert again.returncode == 0, again.stderr


@EITHER
def test_demo_in_its_upload(tmp_path: Path, number: signal.Signals) -> None:
    report = tmp_path / "reports" / "demo" / "report.html"
    report.parent.mkdir(parents=True)
    report.write_text("of an earlier run")
    folders = ["--artifacts", tmp_path / "artifacts", "--build", tmp_path / "build"]
    with started("demo", *folders, cwd=tmp_path) as run:
        run.say_until("board")
        until(run.runs("avrdude"), "avrdude")
        interrupt(run, number)
    assert report.read_text() == "of an earlier run"
    assert not list((tmp_path / "artifacts").glob(".*"))


@BOTH
def test_bench(victim: Bench, tmp_path: Path, number: signal.Signals) -> None:
    """Against a board that hangs, so that the middle lasts."""
    assert victim.control is not None
    control = victim.control
    control.stall()
    with started("bench", "--port", victim.port, cwd=tmp_path) as run:
        until(lambda: control.stats().opens == 1, "the port's opening")
        interrupt(run, number)
    until(lambda: control.stats().opens == 0, "the port's release")
    control.resume()
    assert victim.cli("bench", "--port", victim.port).returncode == 0


@EITHER
def test_ports(virtual: Bench, tmp_path: Path, number: signal.Signals) -> None:
    with started("ports", cwd=tmp_path) as run:
        until(lambda: len(run.programs()) >= 3 and run.runs("arduino-cli")(), "arduino-cli's discoveries")
        interrupt(run, number)
    assert virtual.cli("ports").returncode == 0


@EITHER
def test_virtual_uno(virtual: Bench, tmp_path: Path, number: signal.Signals) -> None:
    """A signal is how this command ends, so its code is 0."""
    link = tmp_path / "mine"
    with started("virtual", "uno", "--link", link, cwd=tmp_path) as run:
        run.say_until("  next: ")
        control = ControlClient(Path(f"{link}.ctl"))
        assert control.answers() and len(run.programs()) == 2
        interrupt(run, number, code=0)
    assert not link.is_symlink() and not control.path.exists()
    assert virtual.control is not None and virtual.control.answers(), "another's board runs on"
