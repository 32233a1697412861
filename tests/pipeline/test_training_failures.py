"""Whatever goes wrong: earlier artefacts stay whole, nothing half-made and no process is left."""

import contextlib
import os
import resource
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.process_groups import living_members
from training_runs import Recorder

from sinehil.base.worker import Channel
from sinehil.base.workers import Workers
from sinehil.errors import ArtefactError, ToolError
from sinehil_pipeline.config import Recipe
from sinehil_pipeline.run import train

Short = Callable[..., Recipe]
DEADLINE_S = 60
OLD = {"manifest.json": b"old manifest", "plots/samples.png": b"old plot"}


@pytest.fixture
def old_artifacts(tmp_path: Path) -> Path:
    for name, data in OLD.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    return tmp_path


def content(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@contextlib.contextmanager
def file_size_limit(limit_bytes: int) -> Iterator[None]:
    """Make every longer write of this process fail, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_failing_write_leaves_the_old_artefacts(
    short_recipe: Short, old_artifacts: Path, recorder: Recorder
) -> None:
    with file_size_limit(60_000), pytest.raises(ArtefactError, match=r"cannot write .*: File too large"):
        train(short_recipe(), old_artifacts, "portable", recorder)
    assert recorder.stages == ["evaluating and converting", "drawing plots"], "it must have come to the write"
    assert content(old_artifacts) == OLD


def test_the_same_run_without_the_limit_replaces_them(
    short_recipe: Short, old_artifacts: Path, recorder: Recorder
) -> None:
    train(short_recipe(), old_artifacts, "portable", recorder)
    assert not OLD.items() & content(old_artifacts).items()


def test_a_folder_that_cannot_be_made_is_noticed_before_training(
    short_recipe: Short, tmp_path: Path, recorder: Recorder
) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ArtefactError, match="cannot write"):
        train(short_recipe(), tmp_path / "file" / "artifacts", "portable", recorder)
    assert recorder.epochs == []


@contextlib.contextmanager
def running(out: Path, epochs: int, until: str) -> Iterator[tuple["subprocess.Popen[str]", list[int]]]:
    """Yield a training that has just printed a line with ``until``, and pidfds of its children."""
    command = [
        sys.executable,
        str(Path(__file__).with_name("interrupted_training.py")),
        str(out),
        str(epochs),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout is not None
        try:
            next(line for line in process.stdout if until in line)
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            yield process, [os.pidfd_open(int(child)) for child in children]
        finally:
            process.kill()


def all_ended(pidfds: list[int]) -> bool:
    for pidfd in pidfds:
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        ended = bool(poll.poll(DEADLINE_S * 1000))
        os.close(pidfd)
        if not ended:
            return False
    return True


@pytest.mark.parametrize(("epochs", "until"), [(100_000, "model_2 20"), (20, "evaluating")])
def test_ctrl_c_leaves_no_process_and_the_old_artefacts(old_artifacts: Path, epochs: int, until: str) -> None:
    with running(old_artifacts, epochs, until) as (process, children):
        assert len(children) >= 2
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(DEADLINE_S) == 130
        assert all_ended(children)
        assert living_members(process.pid) == []
    assert content(old_artifacts) == OLD
    assert not list(old_artifacts.glob(".staging-*"))


def test_workers_end_when_their_parent_is_killed(old_artifacts: Path) -> None:
    with running(old_artifacts, 100_000, "model_2 20") as (process, children):
        process.kill()
        assert all_ended(children)
    assert {name: content(old_artifacts)[name] for name in OLD} == OLD


def crash(_: Channel) -> None:
    raise ValueError("what happened inside")


def die(_: Channel) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def hand_over_and_wait(channel: Channel) -> str:
    channel.hand_over("first")
    return f"then {channel.receive()}"


def hand_over_and_crash(channel: Channel) -> None:
    channel.hand_over("first")
    raise ValueError("what happened inside")


def hand_over_nothing(_: Channel) -> str:
    return "all at once"


@pytest.fixture
def importable_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let workers import this module."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))


@pytest.mark.usefixtures("importable_tests")
@pytest.mark.parametrize(
    ("function", "what"), [(crash, "for crash failed"), (die, "for die ended with code -9")]
)
def test_a_worker_that_breaks_is_told_with_its_words(
    recorder: Recorder, function: Callable[[Channel], None], what: str
) -> None:
    with Workers(recorder) as workers:
        task = workers.start(function)
        with pytest.raises(ToolError, match=what) as found:
            workers.wait_for(task)
    assert ("what happened inside" in found.value.output) == (function is crash)
    assert task.process.returncode is not None


@pytest.mark.usefixtures("importable_tests")
def test_what_is_handed_over_is_there_before_the_rest(recorder: Recorder) -> None:
    with Workers(recorder) as workers:
        task = workers.start(hand_over_and_wait)
        workers.wait_for_early(task)
        assert (task.early(), task.done) == ("first", False)
        task.send("second")
        workers.wait_for(task)
        assert (task.early(), task.result()) == ("first", "then second")


@pytest.mark.usefixtures("importable_tests")
def test_a_worker_that_breaks_after_handing_over_is_told(recorder: Recorder) -> None:
    with Workers(recorder) as workers:
        task = workers.start(hand_over_and_crash)
        workers.wait_for_early(task)
        with pytest.raises(ToolError, match="for hand_over_and_crash failed"):
            workers.wait_for(task)


@pytest.mark.usefixtures("importable_tests")
def test_waiting_for_what_is_never_handed_over_ends(recorder: Recorder) -> None:
    with Workers(recorder) as workers:
        task = workers.start(hand_over_nothing)
        workers.wait_for_early(task)
        with pytest.raises(RuntimeError, match="hand_over_nothing has handed over nothing"):
            task.early()
        assert task.result() == "all at once"
