"""The firmware by byte offset, at its limits, and after much garbage; the sanitizers watch."""

import random

import pytest
from native_link import NativeLink, Start

from sinehil.board.protocol import REPLY, Frame, MessageType, StatsReply, encode_frame

SESSION = 0x1234ABCD


@pytest.fixture
def opened(start_native: Start) -> NativeLink:
    board = start_native()
    board.ask(Frame(MessageType.IDENTIFY, 0, SESSION))
    return board


def stats_of(board: NativeLink) -> StatsReply:
    return StatsReply.unpack(board.ask(Frame(MessageType.STATS, 1, SESSION)).payload)


def test_echo_of_every_length(opened: NativeLink) -> None:
    for length in range(51):
        for payload in (bytes(length), bytes(range(200, 200 + length)), b"\xff" * length):
            reply = opened.ask(Frame(MessageType.ECHO, length, SESSION, payload))
            assert reply == Frame(MessageType.ECHO | REPLY, length, SESSION, payload)


@pytest.mark.parametrize("length", [51, 52, 112, 200, 254, 255, 256, 1000])
def test_a_request_that_is_too_long_is_dropped_and_counted(opened: NativeLink, length: int) -> None:
    opened.write(encode_frame(Frame(MessageType.ECHO, 9, SESSION, bytes(length))))
    opened.write(encode_frame(Frame(MessageType.ECHO, 9, SESSION, b"\1" * length)))
    stats = stats_of(opened)
    assert (stats.frames, stats.crc_errors, stats.framing_errors) == (2, 0, 2)


def test_a_frame_shorter_than_header_and_checksum_is_dropped(opened: NativeLink) -> None:
    for length in range(1, 10):
        opened.write(b"\0" + bytes([length + 1]) + b"\1" * length + b"\0")
    assert stats_of(opened).framing_errors == 9


@pytest.mark.parametrize(
    ("request_frame", "session", "payload"),
    [
        (Frame(MessageType.STATS, 5, SESSION, b"?"), "cdab3412", "0206"),
        (Frame(0x1F, 5, SESSION), "cdab3412", "011f"),
        (Frame(0xFF, 5, SESSION), "cdab3412", "01ff"),
        (Frame(MessageType.ECHO, 5, 1), "cdab3412", "0302"),
        (Frame(0x1F, 5, 1), "cdab3412", "031f"),
    ],
    ids=["bad length", "unknown type", "error as a request", "bad session", "the session counts first"],
)
def test_an_error_by_offset(opened: NativeLink, request_frame: Frame, session: str, payload: str) -> None:
    reply = opened.ask(request_frame)
    assert bytes([reply.type, reply.seq]).hex() == "ff05"
    assert reply.session.to_bytes(4, "little").hex() == session
    assert reply.payload.hex() == payload


def test_a_request_of_exactly_the_largest_size_fits_the_window() -> None:
    for payload in (bytes(50), b"\xff" * 50):
        assert len(encode_frame(Frame(MessageType.ECHO, 1, SESSION, payload))) == 63


@pytest.mark.parametrize("alphabet", [bytes(range(256)), bytes(range(1, 256)), b"\0\1\2\3\x0b\xff", b"\0\1"])
def test_much_garbage_costs_nothing_but_itself(opened: NativeLink, alphabet: bytes) -> None:
    garbage = bytes(random.Random(7).choices(alphabet, k=100_000))
    opened.write(garbage)
    assert opened.ask(Frame(MessageType.ECHO, 3, SESSION, b"still here")).payload == b"still here"
    stats = stats_of(opened)
    assert stats.frames == 3, "nothing in it was taken for a frame"
    assert stats.crc_errors + stats.framing_errors > 0


def test_damaged_frames_in_thousands(opened: NativeLink) -> None:
    """Right frames with one byte changed: nearer to the decoder's edges than noise gets."""
    dice = random.Random(11)
    for _ in range(2000):
        frame = Frame(dice.randrange(256), dice.randrange(256), SESSION, dice.randbytes(dice.randrange(51)))
        wire = bytearray(encode_frame(frame))
        at = dice.randrange(1, len(wire) - 1)
        wire[at] ^= dice.randrange(1, 256)
        opened.write(bytes(wire))
    stats = stats_of(opened)
    assert stats.frames == 2
    assert stats.crc_errors > 1000
    assert stats.crc_errors + stats.framing_errors >= 2000
