"""``sinehil soak`` for seconds on a virtual Uno, whole, interrupted, and with a board that is pulled out."""

import json
import signal
from pathlib import Path

import pytest

from sinehil_audit.soak.soak_log import read_log
from tests.bench.conftest import DEADLINE_S, Bench, until
from tests.bench.marked_run import started
from tests.sampling import first

pytestmark = pytest.mark.board


def test_a_soak_passes_and_leaves_log_and_page(virtual: Bench, tmp_path: Path) -> None:
    words = ["--minutes", 0.15, "--report", tmp_path / "soak", "--port", virtual.port, *virtual.words()]
    done = virtual.cli("soak", *words, "--json", "--trace", tmp_path / "wire.jsonl")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["verdict"], found["failures"], found["against"]) == ("PASS", [], [])
    assert found["latency_s"]["flash"]["times"] >= 1
    undone = {clause.rpartition(" ")[2] for clause in found["remarks"]}
    assert undone == {"flash", "verify", "reset", "stream"} - found["latency_s"].keys()
    assert len(read_log(tmp_path / "soak" / "soak.jsonl")) > 4
    assert "PASS" in (tmp_path / "soak" / "soak.html").read_text()
    events = [json.loads(line) for line in (tmp_path / "wire.jsonl").read_text().splitlines()]
    worked = [
        record
        for record in read_log(tmp_path / "soak" / "soak.jsonl")
        if record["kind"] == "action" and record["action"] != "flash"
    ]
    assert sum(event["event"] == "session" for event in events) >= len(worked)
    assert {event["port"] for event in events} <= {virtual.port}


@pytest.mark.parametrize("number", first(1, [signal.SIGKILL, signal.SIGINT]))
def test_a_soak_that_is_ended_leaves_its_log_and_no_process(
    virtual: Bench, tmp_path: Path, number: signal.Signals
) -> None:
    log = tmp_path / "soak" / "soak.jsonl"
    words = ["--minutes", 9, "--boards", 1, "--report", log.parent, *virtual.words()]
    with started("soak", *words, cwd=tmp_path) as run:
        until(lambda: log.exists() and b'"action"' in log.read_bytes(), "an action")
        run.process.send_signal(number)
        _, stderr = run.process.communicate(timeout=DEADLINE_S)
        assert run.process.returncode == (130 if number == signal.SIGINT else -number), stderr
        assert "Traceback" not in stderr
        until(lambda: not run.programs(), "the end of all that it started")
    assert any(record["kind"] == "action" for record in read_log(log))
    assert (log.parent / "soak.html").exists() is (number == signal.SIGINT)


def test_a_board_that_goes_away_is_named_with_action_and_seed(virtual: Bench, tmp_path: Path) -> None:
    assert virtual.control is not None
    log = tmp_path / "soak" / "soak.jsonl"
    words = ["--minutes", 9, "--seed", 5, "--report", log.parent, "--port", virtual.port, *virtual.words()]
    with started("soak", *words, cwd=tmp_path) as run:
        until(lambda: log.exists() and b'"action"' in log.read_bytes(), "an action")
        virtual.control.unplug()
        stdout, stderr = run.process.communicate(timeout=DEADLINE_S)
    found = json.loads(stdout)
    assert (run.process.returncode, found["verdict"]) == (1, "FAIL")
    first = found["failures"][0]
    assert f"board 0, {first['action']} (action {first['number']}), seed 5: {first['error']}" in stderr
    assert len(found["failures"]) == 3, "three in a row end a board"


def test_options_that_contradict_each_other_are_refused(virtual: Bench) -> None:
    for words in (["--port", "a", "--boards", 2], ["--port", "a", "--port", "a"]):
        done = virtual.cli("soak", *words, *virtual.words())
        assert done.returncode == 2 and "Traceback" not in done.stderr
