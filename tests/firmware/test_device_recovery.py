"""The host's end of the link and the real firmware over lines that lose, damage and add bytes."""

import numpy as np
import pytest
from faults import (
    BadLine,
    Spoil,
    add_before,
    always_lose_after,
    both,
    cut_short,
    flip_bit,
    lose,
    lose_every,
    twice,
)
from native_link import NativeLink, Start

from sinehil.board import link as link_module
from sinehil.board.device import Device
from sinehil.errors import ExitCode, LinkError

EVERY_CODE = np.arange(-128, 128).astype(np.int8)
EXPECTED = EVERY_CODE ^ 0x55  # what known_engine.c computes
TEXT = b"x:1.234,y:0.943\r\n"

# The host is under test here, one build of the firmware is enough.
pytestmark = pytest.mark.parametrize("build", [("gcc", "g++")], indirect=True, ids=["g++"], scope="session")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """For lines that lose something; a reply that is merely late costs a retry, never a result."""
    monkeypatch.setattr(link_module, "REPLY_TIMEOUT_S", 0.1)


def connected(
    link: NativeLink, on_request: Spoil | None = None, on_reply: Spoil | None = None
) -> tuple[Device, BadLine]:
    """Connect over a good line, then let it go bad; pieces are counted from the first request after that."""
    line = BadLine(link)
    device = Device(line)
    device.connect()
    device.identify()  # its answer comes after those to repeated handshakes
    bad = BadLine(link, on_request, on_reply)
    device._link._transport = bad
    return device, bad


def test_a_good_line_needs_no_retries(start_native: Start) -> None:
    device, line = connected(start_native())
    assert np.array_equal(device.infer_codes(EVERY_CODE), EXPECTED)
    assert (device.counters.retries, device.crc_errors) == (0, 0)
    assert line.requests == line.replies > 10


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("on_request", "on_reply", "crc_errors"),
    [
        (None, lose(1), 0),
        (None, lose(5), 0),
        (None, flip_bit(1, 8 * 5), 1),  # the session
        (None, flip_bit(4, 8 * 10 + 7), 1),  # a value
        (None, cut_short(2), 0),
        (lose(1), None, 0),
        (flip_bit(3, 8 * 9), None, 0),
        (cut_short(3), None, 0),
        (both(lose(2), cut_short(4)), lose(7), 0),
        (None, lose_every(5), 0),
        (lose_every(6), lose_every(7), 0),
    ],
    ids=[
        "first reply lost",
        "fifth reply lost",
        "session damaged",
        "value damaged",
        "reply cut",
        "request lost",
        "request damaged",
        "request cut",
        "several",
        "every fifth reply lost",
        "both ways",
    ],
)
def test_what_is_lost_or_damaged_is_asked_for_again(
    start_native: Start, on_request: Spoil | None, on_reply: Spoil | None, crc_errors: int
) -> None:
    device, line = connected(start_native(), on_request, on_reply)
    assert np.array_equal(device.infer_codes(EVERY_CODE), EXPECTED)
    assert device.counters.retries > 0
    assert device.crc_errors == crc_errors
    assert line.requests > 15


@pytest.mark.parametrize(
    ("on_request", "on_reply"),
    [
        (twice(3), None),
        (None, twice(3)),
        (add_before(2, TEXT), None),
        (None, add_before(2, TEXT)),
        (None, add_before(1, b"\xff" * 1000)),
    ],
    ids=["request twice", "reply twice", "noise to the board", "noise to the host", "much noise"],
)
def test_what_comes_in_addition_costs_nothing(
    start_native: Start, on_request: Spoil | None, on_reply: Spoil | None
) -> None:
    device, _ = connected(start_native(), on_request, on_reply)
    assert np.array_equal(device.infer_codes(EVERY_CODE), EXPECTED)
    assert device.counters.retries == 0


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("bit", range(0, 8 * 31, 13))
def test_no_flipped_bit_of_a_reply_changes_a_result(start_native: Start, bit: int) -> None:
    device, _ = connected(start_native(), on_reply=flip_bit(1, bit))
    assert np.array_equal(device.infer_codes(EVERY_CODE[:18]), EXPECTED[:18])


@pytest.mark.usefixtures("impatient")
def test_a_line_that_dies_is_a_link_error(start_native: Start) -> None:
    device, line = connected(start_native(), on_reply=always_lose_after(3))
    with pytest.raises(LinkError, match="stopped answering") as caught:
        device.infer_codes(EVERY_CODE)
    assert caught.value.exit_code == ExitCode.LINK
    assert line.replies > 3, "the board went on answering, the line did not"


@pytest.mark.parametrize("after", [0, 1, 7])
def test_a_reset_in_the_middle_ends_the_run(start_native: Start, after: int) -> None:
    first, second = start_native(), start_native()
    device, line = connected(first)

    def swap(number: int, data: bytes) -> bytes:
        if number == after + 1:
            line.inner = second  # forgets the session, as a board does that was reset
        return data

    line._on_request = swap
    with pytest.raises(LinkError, match="was reset") as caught:
        device.infer_codes(EVERY_CODE)
    assert caught.value.exit_code == ExitCode.LINK


@pytest.mark.usefixtures("impatient")
def test_a_reset_during_silence_is_noticed_by_the_ping(start_native: Start) -> None:
    first, second = start_native(), start_native()
    device, line = connected(first, on_reply=lose(1))

    def swap(number: int, data: bytes) -> bytes:
        if number == 2:
            line.inner = second
        return data

    line._on_request = swap
    with pytest.raises(LinkError, match="was reset"):
        device.echo(b"abc")


def test_after_a_reset_a_new_connection_works(start_native: Start) -> None:
    first, second = start_native(), start_native()
    device, line = connected(first)
    line.inner = second
    with pytest.raises(LinkError, match="was reset"):
        device.echo(b"abc")
    device.connect()
    assert np.array_equal(device.infer_codes(EVERY_CODE), EXPECTED)
