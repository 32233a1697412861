"""Which port a board has after an upload: the decision as a table, and the wait with virtual boards."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from sinehil.arduino.reappearance import Scene, find_board, look, wait_for_board
from sinehil.arduino.serial_ports import Message, Ports
from sinehil.errors import LinkError
from sinehil.virtual import VirtualUno

ACM0, ACM1, ACM2 = "/dev/ttyACM0", "/dev/ttyACM1", "/dev/ttyACM2"
UNO, LEONARDO, LEONARDO_BOOTLOADER = "0x0043", "0x8036", "0x0036"


def usb(pid: str, serial: str = "", vid: str = "0x2341") -> Message:
    named = {"vid": vid, "pid": pid, "serialNumber": serial}
    return {"protocol": "serial", "properties": {key: value for key, value in named.items() if value}}


PLAIN: Message = {"protocol": "serial", "properties": {}}


def scene(ports: Ports, port: str = ACM0) -> Scene:
    return Scene(ports, port in ports, port if port in ports else None)


@pytest.mark.parametrize(
    ("before", "now", "told", "found"),
    [
        ({ACM0: usb(UNO, "1")}, {ACM0: usb(UNO, "1")}, "", ACM0),
        ({ACM0: usb(UNO)}, {ACM0: usb(UNO)}, ACM1, ACM0),
        ({ACM0: usb(UNO, "1")}, {ACM1: usb(UNO, "1")}, "", ACM1),
        ({ACM0: usb(UNO, "1")}, {ACM1: usb(UNO, "1")}, ACM0, ACM1),
        ({ACM0: usb(UNO)}, {ACM1: usb(UNO)}, "", ACM1),
        # another board, even of the same kind, even under the old name, even if arduino-cli takes it for ours
        ({ACM0: usb(UNO, "1")}, {ACM1: usb(UNO, "2")}, ACM1, None),
        ({ACM0: usb(UNO, "1")}, {ACM0: usb(UNO, "2")}, ACM0, None),
        ({ACM0: usb(UNO, "1")}, {ACM0: usb(UNO, "2"), ACM1: usb(UNO, "1")}, ACM0, ACM1),
        ({ACM0: usb(UNO, "1")}, {ACM1: usb("0x7523", vid="0x1A86")}, ACM1, None),
        # one that was there before is not ours
        ({ACM0: usb(UNO), ACM1: usb(UNO)}, {ACM1: usb(UNO)}, "", None),
        ({ACM0: usb(UNO), ACM1: usb(UNO)}, {ACM1: usb(UNO), ACM2: usb(UNO)}, "", ACM2),
        # two that nothing tells apart, unless arduino-cli saw which one came
        ({ACM0: usb(UNO)}, {ACM1: usb(UNO), ACM2: usb(UNO)}, "", None),
        ({ACM0: usb(UNO)}, {ACM1: usb(UNO), ACM2: usb(UNO)}, ACM2, ACM2),
        # a sketch and its bootloader: another product id, and only one of them has a serial number
        ({ACM0: usb(LEONARDO_BOOTLOADER)}, {ACM0: usb(LEONARDO, "9")}, ACM0, ACM0),
        ({ACM0: usb(LEONARDO_BOOTLOADER)}, {ACM1: usb(LEONARDO, "9")}, ACM1, ACM1),
        ({ACM0: usb(LEONARDO_BOOTLOADER)}, {ACM1: usb(LEONARDO, "9")}, ACM0, None),
        # not on USB: only its name is known
        ({ACM0: PLAIN}, {ACM0: PLAIN}, "", ACM0),
        ({ACM0: PLAIN}, {ACM1: PLAIN}, ACM1, None),
        ({}, {ACM1: usb(UNO)}, ACM1, None),
        ({ACM0: usb(UNO, "1")}, {}, ACM0, None),
    ],
)
def test_the_board_is_found_or_none_is(before: Ports, now: Ports, told: str, found: str | None) -> None:
    assert find_board(ACM0, scene(before), scene(now), told) == found


def test_a_name_that_leads_to_the_port_stays_the_name() -> None:
    """As those below /dev/serial/by-id, which udev moves along."""
    by_id = "/dev/serial/by-id/uno"
    before, now = (Scene({address: usb(UNO, "1")}, True, address) for address in (ACM0, ACM1))
    assert find_board(by_id, before, now, "") == by_id
    assert find_board(by_id, before, replace(now, present=False, address=None), "") == ACM1


def test_a_port_that_discovery_does_not_know_has_only_its_name() -> None:
    assert find_board("/dev/pts/9", Scene({}, True, None), Scene({}, True, None), "") == "/dev/pts/9"
    assert find_board("/dev/pts/9", Scene({}, True, None), Scene({}, False, None), "") is None


@pytest.fixture
def board(runtime: Path) -> Iterator[VirtualUno]:
    with VirtualUno.start(link=runtime / "uno") as running:
        yield running


@pytest.mark.board
def test_the_wait_ends_when_the_board_comes(board: VirtualUno, runtime: Path) -> None:
    """Under another name, while another board comes under the old one."""
    before = look(board.port)
    assert before.address == board.port
    board.control.rename("uno2")
    board.control.unplug()
    with ThreadPoolExecutor() as threads, VirtualUno.start(link=runtime / "other") as other:
        other.control.unplug()
        other.control.rename("uno")
        other.control.plug()
        waiting = threads.submit(wait_for_board, board.port, before, board.port)
        board.control.plug()
        assert waiting.result() == str(runtime / "uno2")


@pytest.mark.board
def test_the_wait_ends_when_it_does_not(board: VirtualUno, runtime: Path) -> None:
    before = look(board.port)
    board.control.unplug()
    with (
        VirtualUno.start(link=runtime / "other") as other,
        pytest.raises(LinkError, match=f"the board on {board.port} did not come back") as caught,
    ):
        wait_for_board(board.port, before, other.port, timeout_s=0.3)
    assert caught.value.exit_code == 3 and "sinehil ports" in caught.value.next_step


@pytest.mark.board
def test_relative_names_and_links_to_links_are_looked_through(
    board: VirtualUno, runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(runtime)
    Path("mine").symlink_to("uno")
    assert [look(name).address for name in ("uno", "mine", str(runtime / "mine"))] == [board.port] * 3
    assert wait_for_board("mine", look("mine"), "") == "mine"
