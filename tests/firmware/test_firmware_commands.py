"""The firmware's command handler, natively, over the real Python protocol code."""

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from native_link import NativeLink, Start

from sinehil.board.device import Device
from sinehil.board.protocol import (
    REPLY,
    BenchReply,
    ErrorCode,
    ErrorReply,
    Frame,
    IdentifyReply,
    MessageType,
    StatsReply,
    encode_frame,
)

SESSION = 0x1234ABCD
EVERY_CODE = np.arange(-128, 128).astype(np.int8)


@pytest.fixture
def board(start_native: Start) -> NativeLink:
    """A board that was just reset."""
    return start_native()


@pytest.fixture
def opened(board: NativeLink) -> NativeLink:
    board.ask(Frame(MessageType.IDENTIFY, 0, SESSION))
    return board


def error_of(reply: Frame) -> ErrorReply:
    assert reply.type == MessageType.ERROR
    return ErrorReply.unpack(reply.payload)


def test_identify_tells_everything_and_opens_the_session(board: NativeLink) -> None:
    reply = board.ask(Frame(MessageType.IDENTIFY, 7, SESSION))
    assert (reply.type, reply.seq, reply.session) == (MessageType.IDENTIFY | REPLY, 7, SESSION)
    assert IdentifyReply.unpack(reply.payload) == IdentifyReply(
        protocol_version=2,
        max_payload=50,
        window_bytes=63,
        clock_hz=1_000_000,
        life=SESSION ^ 0x01000000,  # the session and the clock at the first IDENTIFY
        weights_crc32=0x12345678,
        firmware="0.1.0",
        board="native",
        engine="known",
        oracle="nobody",
        model_sha256="c0ffee" + "00" * 29,
        input_scale=0.5,
        output_scale=0.25,
        input_zero_point=0,
        output_zero_point=0,
        inputs=1,
        outputs=1,
    )
    again = board.ask(Frame(MessageType.IDENTIFY, 8, 5))
    assert (again.session, IdentifyReply.unpack(again.payload).life) == (5, SESSION ^ 0x01000000)


@pytest.mark.parametrize(
    "kind", [kind for kind in MessageType if kind not in (MessageType.IDENTIFY, MessageType.ERROR)]
)
def test_a_reset_board_answers_nothing_but_identify(board: NativeLink, kind: MessageType) -> None:
    reply = board.ask(Frame(kind, 3, SESSION, bytes(4)))
    assert (reply.seq, reply.session) == (3, 0)
    assert error_of(reply) == ErrorReply(ErrorCode.BAD_SESSION, kind)


def test_another_hosts_session_is_refused_and_the_boards_own_named(opened: NativeLink) -> None:
    reply = opened.ask(Frame(MessageType.ECHO, 3, SESSION + 1))
    assert (reply.session, error_of(reply).code) == (SESSION, ErrorCode.BAD_SESSION)


@pytest.mark.parametrize("payload", [b"", b"\0", bytes(50), bytes(range(1, 51)), b"text"])
def test_echo_gives_back_the_bytes(opened: NativeLink, payload: bytes) -> None:
    reply = opened.ask(Frame(MessageType.ECHO, 0xFF, SESSION, payload))
    assert reply == Frame(MessageType.ECHO | REPLY, 0xFF, SESSION, payload)


@pytest.mark.parametrize(
    ("kind", "payload", "code"),
    [
        (MessageType.IDENTIFY, b"x", ErrorCode.BAD_LENGTH),
        (MessageType.INFER_F32, b"", ErrorCode.BAD_LENGTH),
        (MessageType.INFER_F32, bytes(3), ErrorCode.BAD_LENGTH),
        (MessageType.INFER_F32, bytes(50), ErrorCode.BAD_LENGTH),
        (MessageType.INFER_I8, b"", ErrorCode.BAD_LENGTH),
        (MessageType.BENCH, b"\0", ErrorCode.BAD_LENGTH),
        (MessageType.BENCH, b"\0\0", ErrorCode.BAD_LENGTH),
        (MessageType.BENCH, b"\0\x41", ErrorCode.BAD_LENGTH),
        (MessageType.STATS, b"x", ErrorCode.BAD_LENGTH),
        (0x07, b"", ErrorCode.UNKNOWN_TYPE),
        (0x00, b"", ErrorCode.UNKNOWN_TYPE),
    ],
)
def test_nonsense_is_refused_by_name(opened: NativeLink, kind: int, payload: bytes, code: ErrorCode) -> None:
    reply = opened.ask(Frame(kind, 9, SESSION, payload))
    assert reply.seq == 9
    assert error_of(reply) == ErrorReply(code, kind)
    assert opened.ask(Frame(MessageType.ECHO, 10, SESSION)).type == MessageType.ECHO | REPLY


def test_stats_counts_what_was_right_and_what_was_not(opened: NativeLink) -> None:
    frame = bytearray(encode_frame(Frame(MessageType.ECHO, 1, SESSION, b"abc")))
    frame[-4] ^= 1
    opened.write(bytes(frame) + b"no frame")
    stats = StatsReply.unpack(opened.ask(Frame(MessageType.STATS, 2, SESSION)).payload)
    assert stats == StatsReply(
        frames=2,
        crc_errors=1,
        framing_errors=1,
        uptime_ms=4711,
        free_ram_bytes=815,
        least_free_ram_bytes=711,
        ring_overruns=12,
        uart_overruns=34,
        uart_framing_errors=56,
    )


@pytest.fixture(scope="module")
def device(start_native: Start) -> Iterator[Device]:
    device = Device(start_native())
    device.connect()
    yield device
    assert (device.crc_errors, device.counters.retries) == (0, 0)


def test_all_codes_go_through_the_engine(device: Device) -> None:
    assert (device.infer_codes(EVERY_CODE) == (EVERY_CODE ^ 0x55)).all()


def test_floats_are_quantized_inferred_and_dequantized(device: Device) -> None:
    y = device.infer_floats(EVERY_CODE.astype(np.float32) / 2)
    assert (y == (EVERY_CODE ^ 0x55).astype(np.float32) / 4).all()


def test_special_floats_reach_the_engine_untouched(device: Device) -> None:
    y = device.infer_floats(np.array([np.nan, np.inf, -np.inf, -0.0], dtype=np.float32))
    assert (y * 4 == np.array([127 ^ 0x55, 127 ^ 0x55, -128 ^ 0x55, 0x55])).all()


def test_a_board_without_a_counter_says_so(device: Device) -> None:
    assert device.bench(0, 4).count == 0


def test_bench_walks_the_codes_and_wraps(start_native: Start) -> None:
    device = Device(start_native("SINEHIL_COUNTER=228"))
    device.connect()
    assert device.bench(-128, 4) == BenchReply(4, 100 + 101 + 102 + 103, 103, 100)
    assert device.bench(126, 4) == BenchReply(4, 354 + 355 + 100 + 101, 355, 100)


def test_a_mean_without_a_code_that_could_not_be_counted_is_not_told(start_native: Start) -> None:
    device = Device(start_native("SINEHIL_COUNTER=128"))  # code -128 counts 0, which is no count
    device.connect()
    assert device.bench(-127, 4) == BenchReply(4, 1 + 2 + 3 + 4, 4, 1)
    assert device.bench(-128, 4).count == device.bench(127, 2).count == 0


@pytest.fixture(scope="module")
def hardened(start_native: Start) -> NativeLink:
    board = start_native()
    board.ask(Frame(MessageType.IDENTIFY, 0, SESSION))
    return board


@settings(max_examples=300, deadline=None)
@given(garbage=st.binary(max_size=400), seq=st.integers(0, 255), payload=st.binary(max_size=50))
def test_a_frame_after_any_garbage_is_answered(
    hardened: NativeLink, garbage: bytes, seq: int, payload: bytes
) -> None:
    hardened.write(garbage)
    reply = hardened.ask(Frame(MessageType.ECHO, seq, SESSION, payload))
    assert reply == Frame(MessageType.ECHO | REPLY, seq, SESSION, payload)
