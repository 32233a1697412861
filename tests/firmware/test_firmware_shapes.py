"""Models with several inputs and outputs: the firmware, natively, and the host's end of the link."""

import numpy as np
import pytest
from faults import BadLine, Spoil, cut_short, flip_bit, lose, lose_every, twice
from known_engine import known_codes
from native_link import NativeLink, Start

from sinehil.board import link as link_module
from sinehil.board.device import Device
from sinehil.board.protocol import REPLY, BenchReply, ErrorCode, ErrorReply, Frame, MessageType, encode_frame

SESSION = 0x1234ABCD
SHAPES = [(3, 2), (12, 1), (13, 1), (1, 28), (1, 29), (16, 4), (1, 64), (64, 1), (63, 61), (64, 64)]

# Shapes differ by constants alone; both compilers and one of them are worth the same here, at half the time.
pytestmark = pytest.mark.parametrize("build", [("gcc", "g++")], indirect=True, ids=["g++"], scope="session")


def started(start_native: Start, inputs: int, outputs: int, *more: str) -> NativeLink:
    return start_native(f"SINEHIL_INPUTS={inputs}", f"SINEHIL_OUTPUTS={outputs}", *more)


def opened(start_native: Start, inputs: int, outputs: int) -> NativeLink:
    board = started(start_native, inputs, outputs)
    board.ask(Frame(MessageType.IDENTIFY, 0, SESSION))
    return board


def codes(samples: int, inputs: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int8]]:
    return np.random.default_rng(inputs).integers(-128, 128, (samples, inputs)).astype(np.int8)


@pytest.mark.parametrize(("inputs", "outputs"), SHAPES)
def test_codes_and_floats_go_through_the_engine(start_native: Start, inputs: int, outputs: int) -> None:
    device = Device(started(start_native, inputs, outputs))
    reply = device.connect()
    assert (reply.inputs, reply.outputs) == (inputs, outputs)
    x_q = codes(41, inputs)
    expected = known_codes(x_q, outputs)
    sent = x_q[:, 0] if inputs == 1 else x_q
    wanted = expected[:, 0] if outputs == 1 else expected
    done: list[int] = []
    assert np.array_equal(device.infer_codes(sent, done.append), wanted)
    assert sum(done) == 41
    y = device.infer_floats(sent.astype(np.float32) / 2)
    assert y.shape == wanted.shape and np.array_equal(y, wanted.astype(np.float32) / 4)
    assert (device.crc_errors, device.counters.retries) == (0, 0)


@pytest.mark.parametrize(
    ("inputs", "outputs", "request_bytes", "reply_bytes"),
    [(1, 1, 50, 112), (12, 28, 50, 112), (13, 29, 52, 116), (63, 63, 252, 252), (64, 64, 256, 256)],
)
def test_limits_are_those_of_a_float_sample(
    start_native: Start, inputs: int, outputs: int, request_bytes: int, reply_bytes: int
) -> None:
    board = started(start_native, inputs, outputs)
    reply = Device(board).connect()
    assert (reply.max_payload, reply.max_reply_payload, reply.window_bytes) == (
        request_bytes,
        reply_bytes,
        63,
    )


@pytest.mark.parametrize("fill", [b"\0", b"\1", b"\xff"])
def test_the_longest_requests_are_echoed_and_longer_ones_dropped(start_native: Start, fill: bytes) -> None:
    board = opened(start_native, 64, 64)
    for length in (51, 112, 243, 244, 245, 246, 247, 248, 253, 254, 255, 256):
        request = Frame(MessageType.ECHO, length & 0xFF, SESSION, fill * length)
        assert board.ask(request) == Frame(MessageType.ECHO | REPLY, request.seq, SESSION, request.payload)
    for length in (257, 300, 1000):
        board.write(encode_frame(Frame(MessageType.ECHO, 1, SESSION, fill * length)))
    assert board.ask(Frame(MessageType.ECHO, 2, SESSION, b"here")).payload == b"here"


@pytest.mark.parametrize(
    ("inputs", "outputs", "kind", "payload_bytes"),
    [
        (3, 2, MessageType.INFER_I8, 4),
        (64, 1, MessageType.ECHO, 113),
        (64, 61, MessageType.ECHO, 245),
        (3, 2, MessageType.INFER_F32, 8),
        (3, 2, MessageType.INFER_F32, 0),
        (2, 64, MessageType.INFER_F32, 16),  # two samples, whose outputs are 512 bytes
        (1, 64, MessageType.INFER_I8, 5),
        (3, 2, MessageType.BENCH_I8, 0),
        (3, 2, MessageType.BENCH_I8, 4),
    ],
)
def test_parts_of_samples_and_too_many_of_them_are_refused(
    start_native: Start, inputs: int, outputs: int, kind: int, payload_bytes: int
) -> None:
    board = opened(start_native, inputs, outputs)
    reply = board.ask(Frame(kind, 1, SESSION, bytes(payload_bytes)))
    assert ErrorReply.unpack(reply.payload) == ErrorReply(ErrorCode.BAD_LENGTH, kind)


@pytest.mark.parametrize(
    ("inputs", "kind"), [(1, MessageType.BENCH_I8), (3, MessageType.BENCH)], ids=["one", "several"]
)
def test_a_board_knows_one_kind_of_bench(start_native: Start, inputs: int, kind: int) -> None:
    reply = opened(start_native, inputs, 1).ask(Frame(kind, 1, SESSION, bytes(6)))
    assert ErrorReply.unpack(reply.payload) == ErrorReply(ErrorCode.UNKNOWN_TYPE, kind)


@pytest.mark.parametrize(
    ("on_request", "on_reply", "costs"),
    [
        (lose(3), None, True),
        (flip_bit(4, 1400), None, True),
        (cut_short(5), None, True),
        (twice(6), None, False),
        (lose_every(7), None, True),
        (None, lose(3), True),
        (None, flip_bit(4, 900), True),
        (None, cut_short(5), True),
    ],
)
def test_long_requests_over_a_bad_line_cost_retries_and_no_result(
    start_native: Start,
    monkeypatch: pytest.MonkeyPatch,
    on_request: Spoil | None,
    on_reply: Spoil | None,
    costs: bool,
) -> None:
    monkeypatch.setattr(link_module, "REPLY_TIMEOUT_S", 0.1)
    device = Device(started(start_native, 64, 40))
    device.connect()
    device.identify()
    device._link._transport = BadLine(device._link._transport, on_request, on_reply)
    x_q = codes(50, 64)
    assert np.array_equal(device.infer_codes(x_q), known_codes(x_q, 40))
    assert np.array_equal(device.infer_floats(x_q[:9].astype(np.float32) / 2) * 4, known_codes(x_q[:9], 40))
    assert (device.counters.retries > 0) == costs


def test_bench_measures_the_samples_it_is_sent(start_native: Start) -> None:
    device = Device(started(start_native, 16, 4, "SINEHIL_COUNTER=228"))  # plus the first code
    device.connect()
    x_q = codes(7, 16)
    replies = list(device.bench_codes(x_q))
    cycles = [228 + int(code) for code in x_q[:, 0]]
    parts = [cycles[:4], cycles[4:]]  # four samples of 16 fill the longest payload
    assert replies == [BenchReply(len(part), sum(part), max(part), min(part)) for part in parts]
