"""``--trace FILE`` and ``-v`` on a board: what stands there agrees with what the command says."""

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.bench.conftest import Bench

pytestmark = pytest.mark.board


def test_a_verification_as_json_lines(flashed: Bench, tmp_path: Path) -> None:
    path = tmp_path / "wire.jsonl"
    done = flashed.cli("verify", "--port", flashed.port, *flashed.words(), "--json", "--trace", path)
    assert done.returncode == 0, done.stderr
    link = json.loads(done.stdout)["link"]
    events = [json.loads(line) for line in path.read_text().splitlines()]
    kinds = Counter(event["event"] for event in events)
    assert kinds["lost"] == link["retries"]
    assert sum(event.get("note") == "bad CRC" for event in events) == link["crc_errors"]
    assert kinds["sent"] >= link["frames"] > 10 and kinds["received"] > 10
    times = [event["seconds"] for event in events]
    assert times == sorted(times) and 0 <= times[0] < times[-1] < 60
    assert {event["type"] for event in events if "type" in event} >= {
        "IDENTIFY",
        "INFER_F32 reply",
        "INFER_I8",
    }
    session = next(event for event in events if event["event"] == "session")
    assert session["note"].startswith("speed kernel on ")


def test_a_measurement_as_text_with_a_log(flashed: Bench, tmp_path: Path) -> None:
    path = tmp_path / "wire.txt"
    done = flashed.cli("bench", "--port", flashed.port, "--json", "-v", "--trace", path)
    assert done.returncode == 0 and json.loads(done.stdout), done.stderr
    text = path.read_text()
    assert text.startswith("# sinehil trace 1") and " -> BENCH " in text and " <- BENCH reply " in text
    assert f"sinehil.board.transport: {flashed.port}: open at 115200 baud" in done.stderr
    assert "sinehil.board.link" in done.stderr


@pytest.mark.parametrize("command", ["verify", "bench"])
def test_a_trace_that_cannot_be_opened_is_refused_before_anything_is_done(
    flashed: Bench, tmp_path: Path, command: str
) -> None:
    words = flashed.words() if command == "verify" else []
    path = tmp_path / "no" / "file"
    done = flashed.cli(command, "--port", flashed.port, *words, "--trace", path)
    assert done.returncode == 2 and f"cannot write the trace {path}" in done.stderr


def test_a_full_disk_ends_the_trace_and_not_the_verification(flashed: Bench) -> None:
    done = flashed.cli("verify", "--port", flashed.port, *flashed.words(), "--trace", "/dev/full")
    assert done.returncode == 0 and "PASS" in done.stdout
    assert done.stderr.count("the trace /dev/full ends here") == 1
