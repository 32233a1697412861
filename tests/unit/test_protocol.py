"""Framing, whatever happens to the bytes; payloads, whatever is in them."""

import itertools
import struct

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sinehil.board.protocol import (
    BenchReply,
    ErrorCode,
    ErrorReply,
    Frame,
    FrameDecoder,
    IdentifyReply,
    MessageType,
    ProtocolError,
    StatsReply,
    encode_frame,
    is_bootloader_safe,
)

MAX_WIRE = 63
SENTINEL = Frame(MessageType.ECHO | 0x80, 9, 0x01020304, b"\0sentinel\0")

frames = st.builds(
    Frame,
    type=st.integers(0, 255),
    seq=st.integers(0, 255),
    session=st.integers(0, 2**32 - 1),
    payload=st.binary(max_size=50) | st.integers(0, 50).map(bytes),
)


@settings(deadline=None)
@given(frames)
def test_round_trip(frame: Frame) -> None:
    wire = encode_frame(frame)
    decoder = FrameDecoder()
    assert decoder.feed(wire) == [frame]
    assert (decoder.crc_errors, decoder.framing_errors, decoder.discarded) == (0, 0, b"")


@settings(deadline=None)
@given(frames)
def test_on_the_wire_zero_only_delimits_and_a_request_fits_the_ring(frame: Frame) -> None:
    wire = encode_frame(frame)
    assert wire[0] == wire[-1] == 0
    assert 0 not in wire[1:-1]
    assert len(wire) == 2 + 1 + 6 + len(frame.payload) + 4 <= MAX_WIRE


def test_the_largest_reply_is_decoded_and_a_larger_one_is_not() -> None:
    largest = Frame(MessageType.ECHO | 0x80, 1, 2, bytes(range(256)))
    assert FrameDecoder().feed(encode_frame(largest)) == [largest]
    decoder = FrameDecoder()
    assert decoder.feed(encode_frame(Frame(1, 1, 2, bytes(257))) + encode_frame(SENTINEL)) == [SENTINEL]
    assert decoder.framing_errors == 1


@settings(deadline=None)
@given(garbage=st.binary(max_size=1000))
@example(garbage=b"")
@example(garbage=b"x" * 1000)
def test_garbage_costs_at_most_itself(garbage: bytes) -> None:
    found = FrameDecoder().feed(garbage + encode_frame(SENTINEL))
    assert found[-1:] == [SENTINEL]


@settings(deadline=None)
@given(frame=frames, garbage=st.binary(max_size=300), cuts=st.lists(st.integers(0, 400), max_size=6))
def test_pieces_make_no_difference(frame: Frame, garbage: bytes, cuts: list[int]) -> None:
    stream = encode_frame(frame) + garbage + encode_frame(SENTINEL)
    whole, pieces = FrameDecoder(), FrameDecoder()
    edges = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    found = [item for a, b in itertools.pairwise(edges) for item in pieces.feed(stream[a:b])]
    assert found == whole.feed(stream)
    assert (pieces.crc_errors, pieces.framing_errors) == (whole.crc_errors, whole.framing_errors)


@settings(deadline=None)
@given(frame=frames, position=st.integers(0, 10_000))
def test_no_flipped_bit_gives_another_frame(frame: Frame, position: int) -> None:
    wire = bytearray(encode_frame(frame))
    position %= 8 * len(wire)
    wire[position // 8] ^= 1 << position % 8
    found = FrameDecoder().feed(bytes(wire) + encode_frame(SENTINEL))
    assert found[-1] == SENTINEL
    # A flipped delimiter still leaves its neighbour's zero or adds a byte of garbage: the frame may survive, whole.
    assert found[:-1] in ([], [frame])


@pytest.mark.parametrize("frame", [SENTINEL, Frame(1, 0, 1), Frame(3, 255, 2**32 - 1, bytes(48))])
def test_every_flipped_bit_is_noticed_between_the_delimiters(frame: Frame) -> None:
    wire = encode_frame(frame)
    for position in range(8, 8 * (len(wire) - 1)):
        damaged = bytearray(wire)
        damaged[position // 8] ^= 1 << position % 8
        decoder = FrameDecoder()
        assert decoder.feed(bytes(damaged)) == []
        assert decoder.crc_errors + decoder.framing_errors >= 1


@settings(deadline=None)
@given(frame=frames, at=st.integers(0, 100), length=st.integers(1, 20))
def test_lost_bytes_never_give_another_frame(frame: Frame, at: int, length: int) -> None:
    wire = encode_frame(frame)
    at %= len(wire)
    found = FrameDecoder().feed(wire[:at] + wire[at + length :] + encode_frame(SENTINEL))
    assert all(item in (frame, SENTINEL) for item in found)


def test_memory_stays_bounded_and_the_garbage_end_is_kept() -> None:
    decoder = FrameDecoder()
    for _ in range(1000):
        assert decoder.feed(b"another sketch says hello\r\n") == []
    assert decoder.discarded.endswith(b"says hello\r\n")
    assert len(decoder.discarded) <= 256
    assert decoder.feed(b"\0" + encode_frame(SENTINEL)) == [SENTINEL]
    assert decoder.framing_errors == 1


@pytest.mark.parametrize("byte", [*range(0x40, 0x80), 0x20])
def test_a_bootloaders_bytes_are_not_safe(byte: int) -> None:
    assert not is_bootloader_safe(bytes([0, byte, 0]))


def test_other_bytes_are_safe() -> None:
    assert is_bootloader_safe(bytes(set(range(256)) - set(range(0x40, 0x80)) - {0x20}))


IDENTIFY = struct.pack(
    "<BBHIII12s12s12s12s32sffbbBB",
    *(2, 50, 63, 16_000_000, 7, 0xCAFE, b"0.1.0", b"uno", b"generated", b"litert", bytes(range(32))),
    *(0.5, 0.25, -128, 3, 1, 1),
)


def identify_with(offset: int, data: bytes) -> bytes:
    return IDENTIFY[:offset] + data + IDENTIFY[offset + len(data) :]


def test_identify_by_byte_offset() -> None:
    """The offsets of hil/PROTOCOL.md, each set on its own."""
    assert len(IDENTIFY) == 108
    base = IdentifyReply.unpack(IDENTIFY)
    assert (base.firmware, base.board, base.engine, base.oracle) == ("0.1.0", "uno", "generated", "litert")
    offsets: list[tuple[int, bytes, str, object]] = [
        (1, b"\x30", "max_payload", 0x30),
        (1, b"\x00", "max_payload", 256),
        (2, b"\x40\x01", "window_bytes", 0x140),
        (4, b"\x01\x02\x03\x04", "clock_hz", 0x04030201),
        (8, b"\x01\x02\x03\x04", "life", 0x04030201),
        (12, b"\x01\x02\x03\x04", "weights_crc32", 0x04030201),
        (16, b"1.22.333-abc", "firmware", "1.22.333-abc"),
        (28, b"M\0\0", "board", "M"),
        (40, b"G\0\0\0\0\0\0\0\0", "engine", "G"),
        (52, b"O\0\0\0\0\0\0\0\0", "oracle", "O"),
        (64, b"\xff", "model_sha256", "ff" + bytes(range(1, 32)).hex()),
        (96, struct.pack("<f", 2.0), "input_scale", 2.0),
        (100, struct.pack("<f", 4.0), "output_scale", 4.0),
        (104, b"\x7f", "input_zero_point", 127),
        (105, b"\xff", "output_zero_point", -1),
        (106, b"\x05", "inputs", 5),
        (107, b"\x06", "outputs", 6),
    ]
    for offset, data, name, value in offsets:
        assert getattr(IdentifyReply.unpack(identify_with(offset, data)), name) == value, name


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        IDENTIFY[:-1],
        IDENTIFY + b"\0",
        identify_with(0, b"\x01"),
        identify_with(1, b"\x03"),
        identify_with(2, b"\x0f\x00"),
        identify_with(4, bytes(4)),
        identify_with(28, b"\xff"),
        identify_with(106, b"\x00"),
        identify_with(106, b"\x0d"),  # 13 floats do not fit 50 bytes
        identify_with(107, b"\x00"),
        identify_with(107, b"\x41"),
        identify_with(40, b"\x1b[2J"),
        identify_with(96, bytes(4)),
        identify_with(96, struct.pack("<f", float("nan"))),
        identify_with(100, struct.pack("<f", float("inf"))),
        identify_with(100, struct.pack("<f", -1.0)),
    ],
)
def test_identify_that_makes_no_sense(payload: bytes) -> None:
    with pytest.raises(ProtocolError):
        IdentifyReply.unpack(payload)


def test_the_other_replies() -> None:
    assert BenchReply.unpack(bytes.fromhex("02 01000000 02000000 03000000")) == BenchReply(2, 1, 2, 3)
    stats = StatsReply.unpack(bytes.fromhex("01000000 02000000 03000000 04000000 0500 0600 07 08 09"))
    assert stats == StatsReply(1, 2, 3, 4, 5, 6, 7, 8, 9)
    assert ErrorReply.unpack(b"\x03\x02") == ErrorReply(ErrorCode.BAD_SESSION, MessageType.ECHO)


@settings(deadline=None)
@given(st.binary(max_size=120))
def test_any_payload_is_understood_or_refused(payload: bytes) -> None:
    for reply in (IdentifyReply, BenchReply, StatsReply, ErrorReply):
        try:
            reply.unpack(payload)
        except ProtocolError as error:
            assert str(error)
