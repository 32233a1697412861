import errno
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sinehil.arduino import ArduinoEnvironment, list_ports
from sinehil.arduino.discovery import FIRST_POLL_S, POLL_S, Discovery, lines_of, serve
from sinehil.arduino.serial_ports import Ports, virtual_boards

NOBODY = 2**22 + 1  # above Linux' largest process id


def port(address: str, **properties: str) -> dict[str, Any]:
    return {"address": address, "protocol": "serial", "properties": properties}


def registry_entry(**changes: object) -> str:
    entry = {
        "port": "",
        "vid": "0x2341",
        "pid": "0x0043",
        "serial": "virtual-1",
        "pid_of_process": os.getpid(),
    }
    return json.dumps({**entry, **changes})


class Machine:
    """Ports that come and go."""

    def __init__(self) -> None:
        self.ports: Ports = {}

    def __call__(self) -> Ports:
        return dict(self.ports)


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ('HELLO 1 "arduino-cli 1.5.1"', {"eventType": "hello", "message": "OK", "protocolVersion": 1}),
        ("START", {"eventType": "start", "message": "OK"}),
        ("STOP", {"eventType": "stop", "message": "OK"}),
        ("QUIT", {"eventType": "quit", "message": "OK"}),
        ("START_SYNC", {"eventType": "start_sync", "message": "OK"}),
        ("LIST", {"eventType": "list", "ports": []}),
        ("list\r", {"eventType": "list", "ports": []}),
    ],
)
def test_each_command_has_one_answer(machine: Machine, line: str, answer: dict[str, Any]) -> None:
    assert Discovery(machine).command(line) == [answer]


@pytest.mark.parametrize("line", ["FLY", "", "{}"])
def test_an_unknown_command_is_answered_with_an_error(machine: Machine, line: str) -> None:
    [answer] = Discovery(machine).command(line)
    assert (answer["eventType"], answer["error"]) == ("command_error", True)


def test_list_names_the_ports_of_that_moment(machine: Machine) -> None:
    discovery = Discovery(machine)
    machine.ports["/dev/a"] = port("/dev/a")
    assert discovery.command("LIST")[0]["ports"] == [port("/dev/a")]


def test_sync_reports_what_is_there_then_only_changes(machine: Machine) -> None:
    discovery = Discovery(machine)
    machine.ports["/dev/a"] = port("/dev/a")
    discovery.command("START_SYNC")
    assert discovery.poll_after_s == FIRST_POLL_S
    assert discovery.poll() == [{"eventType": "add", "port": port("/dev/a")}]
    assert discovery.poll_after_s == POLL_S
    assert discovery.poll() == []
    machine.ports = {"/dev/b": port("/dev/b")}
    gone = {"eventType": "remove", "port": {"address": "/dev/a", "protocol": "serial"}}
    assert discovery.poll() == [gone, {"eventType": "add", "port": port("/dev/b")}]


def test_another_board_at_the_same_address_is_a_change(machine: Machine) -> None:
    discovery = Discovery(machine)
    discovery.command("START_SYNC")
    machine.ports["/dev/a"] = port("/dev/a", serialNumber="1")
    discovery.poll()
    machine.ports["/dev/a"] = port("/dev/a", serialNumber="2")
    assert [message["eventType"] for message in discovery.poll()] == ["remove", "add"]


def test_stop_ends_the_events_and_a_new_sync_starts_from_nothing(machine: Machine) -> None:
    discovery = Discovery(machine)
    machine.ports["/dev/a"] = port("/dev/a")
    discovery.command("START_SYNC")
    discovery.poll()
    discovery.command("STOP")
    assert discovery.poll_after_s is None
    discovery.command("START_SYNC")
    assert [message["eventType"] for message in discovery.poll()] == ["add"]


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError as error:
            assert error.errno == errno.EBADF


def test_lines_that_come_in_one_piece_or_in_many_are_all_seen(pipe: tuple[int, int]) -> None:
    read, write = pipe
    os.write(write, b"HELLO\nSTART\nLI")
    lines = lines_of(read, lambda: None)
    assert [next(lines), next(lines)] == ["HELLO", "START"]
    os.write(write, b"ST\n\xff\n")
    assert [next(lines), next(lines)] == ["LIST", "\ufffd"]
    os.close(write)
    assert list(lines) == []


def test_silence_is_time_to_poll(pipe: tuple[int, int]) -> None:
    assert next(lines_of(pipe[0], lambda: 0.0)) is None


@pytest.mark.parametrize("ending", [b"QUIT\nLIST\n", b""])
def test_serving_ends_with_quit_and_with_its_input(
    machine: Machine, pipe: tuple[int, int], ending: bytes
) -> None:
    written: list[str] = []
    os.write(pipe[1], b"HELLO 1 x\n" + ending)
    os.close(pipe[1])
    serve(Discovery(machine), pipe[0], written.append)
    kinds = [json.loads(line)["eventType"] for line in written]
    assert kinds == (["hello", "quit"] if ending else ["hello"])


def test_running_boards_are_listed_with_their_ids(tmp_path: Path) -> None:
    link = tmp_path / "uno"
    link.touch()
    (tmp_path / "1.json").write_text(registry_entry(port=str(link)))
    [found] = virtual_boards(tmp_path).values()
    assert found["address"] == str(link)
    assert found["properties"] == {"vid": "0x2341", "pid": "0x0043", "serialNumber": "virtual-1"}


@pytest.mark.parametrize(
    "entry",
    [
        registry_entry(port="/nonexistent/uno"),
        registry_entry(port="/dev/null", pid_of_process=NOBODY),
        registry_entry(port="/dev/null", pid_of_process=-1),
        registry_entry(port="/dev/null", pid_of_process="x"),
        "[1]",
        '"text"',
        "{",
        "",
        "\0",
    ],
)
def test_stale_and_damaged_entries_are_skipped(tmp_path: Path, entry: str) -> None:
    (tmp_path / "0.json").write_text(entry)
    (tmp_path / "1.json").write_text(registry_entry(port="/dev/null"))  # the control: this one counts
    assert list(virtual_boards(tmp_path)) == ["/dev/null"]


@pytest.mark.parametrize(("kind", "seen"), [("serial", True), ("mdns", False)])
def test_the_program_answers_from_any_folder(runtime: Path, tmp_path: Path, kind: str, seen: bool) -> None:
    (runtime / "1.json").write_text(registry_entry(port="/dev/null"))
    (tmp_path / "json.py").write_text("raise SystemExit('the folder we were started in was imported from')")
    done = subprocess.run(
        [sys.executable, "-P", "-m", "sinehil.arduino.discovery", kind],
        input="HELLO 1 x\nSTART\nLIST\nQUIT\n",
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=True,
        timeout=30,
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["eventType"] for answer in answers] == ["hello", "start", "list", "quit"]
    assert ("/dev/null" in [found["address"] for found in answers[2]["ports"]]) is seen
    assert done.stderr == ""


@pytest.fixture
def listed_pty(runtime: Path) -> Iterator[Callable[..., str]]:
    """A PTY behind a link in the registry, as a virtual board has it."""
    master, slave = pty.openpty()
    link = runtime / "uno"
    link.symlink_to(os.ttyname(slave))

    def register(**changes: object) -> str:
        (runtime / "1.json").write_text(registry_entry(port=str(link), **changes))
        return str(link)

    yield register
    os.close(master)
    os.close(slave)


def test_arduino_cli_knows_a_virtual_board(
    environment: ArduinoEnvironment, listed_pty: Callable[..., str]
) -> None:
    link = listed_pty()
    [found] = [port for port in list_ports(environment) if port.address == link]
    assert (found.name, found.fqbn, found.protocol) == ("Arduino UNO", "arduino:avr:uno", "serial")
    assert (found.vid, found.pid, found.serial) == ("0x2341", "0x0043", "virtual-1")


def test_arduino_cli_does_not_guess_another_maker_s_board(
    environment: ArduinoEnvironment, listed_pty: Callable[..., str]
) -> None:
    link = listed_pty(vid="0x1234", pid="0x5678")
    [found] = [port for port in list_ports(environment) if port.address == link]
    assert (found.name, found.fqbn) == (None, None)


def test_arduino_cli_does_not_see_a_board_that_has_ended(
    environment: ArduinoEnvironment, listed_pty: Callable[..., str]
) -> None:
    link = listed_pty(pid_of_process=NOBODY)
    assert link not in [port.address for port in list_ports(environment)]
