"""The lines of a trace, and that what cannot be written ends a trace and nothing else."""

import json
import os
import pickle
from pathlib import Path

import pytest

from sinehil.board.protocol import Frame, MessageType, encode_frame
from sinehil.board.trace import SHOWN_BYTES, TraceFile, TraceKind, json_line, opened_trace, text_line
from sinehil.errors import UsageError

PING = Frame(MessageType.ECHO, 7, 0x01020304, b"\x11\x00\x22")
REPLY = Frame(0x82, 7, 0x01020304)
SIZE = len(encode_frame(PING))


def tell(trace: TraceFile, frame: Frame = PING) -> None:
    trace.record(10.5, "/dev/ttyACM0", TraceKind.SENT, frame, "again", b"")


def test_a_frame_as_text() -> None:
    line = text_line(0.5, "/dev/ttyACM0", TraceKind.SENT, PING, "again", b"")
    assert line == f"   0.500000 -> ECHO              7 01020304    {SIZE}  /dev/ttyACM0: again\n"
    assert "<- ECHO reply" in text_line(0.5, "p", TraceKind.RECEIVED, REPLY, "", b"")
    assert "type 0x2a" in text_line(0.5, "p", TraceKind.RECEIVED, Frame(0x2A, 1, 1), "", b"")
    assert " x ECHO reply" in text_line(0.5, "p", TraceKind.DROPPED, REPLY, "late", b"")


def test_a_frame_as_json() -> None:
    document = json.loads(json_line(0.5, "p", TraceKind.SENT, PING, "again", b""))
    assert document == {
        "seconds": 0.5,
        "port": "p",
        "event": "sent",
        "type": "ECHO",
        "seq": 7,
        "session": "01020304",
        "bytes": SIZE,
        "payload": "110022",
        "note": "again",
    }
    document = json.loads(json_line(0.5, "p", TraceKind.DROPPED, None, "bad CRC", b"\xff\0"))
    assert (document["data"], document["bytes"]) == ("ff00", 2)


@pytest.mark.parametrize("line", [text_line, json_line])
def test_foreign_bytes_do_nothing(line: object) -> None:
    assert callable(line)
    shown = line(0.0, "p\x1b[2J\n", TraceKind.DROPPED, None, "bad CRC \u202e", b"\x1b[2J\n\xff" * 40)
    assert shown.endswith("\n") and shown[:-1].isprintable()
    assert line is json_line or shown.count("\\xff") <= SHOWN_BYTES


@pytest.mark.parametrize("name", ["t.txt", "t.jsonl"])
def test_an_earlier_trace_is_replaced(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("old")
    with TraceFile(path, 10.0) as trace:
        tell(trace)
    lines = path.read_text().splitlines()
    assert "old" not in lines
    if name == "t.txt":
        assert [line[0] for line in lines[:-1]] == ["#", "#"] and lines[-1].startswith("   0.500000 ->")
    else:
        assert [json.loads(line)["seconds"] for line in lines] == [0.5]


@pytest.mark.parametrize("name", ["no/such/folder", ".", "a\0b"])
def test_one_that_cannot_be_opened_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot write the trace"), opened_trace(tmp_path / name):
        pass


def test_a_pipe_without_a_reader_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="cannot write the trace"), opened_trace(tmp_path / "pipe"):
        pass


def test_a_full_disk_ends_it_with_one_note(capsys: pytest.CaptureFixture[str]) -> None:
    with TraceFile(Path("/dev/full"), 0.0) as trace:
        tell(trace)
        tell(trace)
    assert capsys.readouterr().err == "sinehil: the trace /dev/full ends here: No space left on device\n"


def test_a_reader_who_leaves_ends_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    with TraceFile(tmp_path / "pipe", 0.0) as trace:
        os.close(reader)
        tell(trace)
    assert "ends here: Broken pipe" in capsys.readouterr().err


def test_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with opened_trace(Path("-")) as trace:
        assert trace is not None
        tell(trace)
    said = capsys.readouterr()
    assert said.out == "" and "ECHO" in said.err


def test_other_processes_add_to_it(tmp_path: Path) -> None:
    with TraceFile(tmp_path / "t", 0.0) as trace:
        tell(trace)
        with pickle.loads(pickle.dumps(trace)) as copy:
            tell(copy)
        tell(trace)
    assert len((tmp_path / "t").read_text().splitlines()) == 2 + 3


def test_none_is_asked_for() -> None:
    with opened_trace(None) as trace:
        assert trace is None
