"""The host's end of the link against ports that are silent, talk nonsense or speak for somebody else.

What a sinehil board does when the line is bad stands in tests/firmware/test_device_recovery.py, with the real firmware.
"""

import struct
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest

from sinehil.board.device import Device
from sinehil.board.diagnosis import STK_GET_SYNC, SYNC_DELAYS_S, TALK_BYTES
from sinehil.board.exchange import PACE_S, PATIENCE_S
from sinehil.board.link import ATTEMPTS, PING_WAITS, REPLY_TIMEOUT_S
from sinehil.board.protocol import (
    REPLY,
    ErrorCode,
    Frame,
    FrameDecoder,
    MessageType,
    SentRequests,
    encode_frame,
)
from sinehil.board.protocol import is_bootloader_safe as is_safe
from sinehil.board.timing import MIN_TIMEOUT_S, RoundTrip
from sinehil.errors import ExitCode, IdentityError, LinkError

IDENTIFY = struct.pack(
    "<BBHIII12s12s12s12s32sffbbBB",
    *(2, 50, 63, 16_000_000, 0, 0xCAFE, b"0.1.0", b"uno", b"generated", b"litert", bytes(range(32))),
    *(0.5, 0.25, -128, 3, 1, 1),
)

Answer = Callable[[Frame], Sequence[Frame | bytes]]  # bytes as they stand on the wire


class Port:
    """A port whose other end is a function from requests to replies; ``raw`` is sent back for every write."""

    def __init__(self, answer: Answer | None = None, raw: Callable[[bytes], bytes] | None = None) -> None:
        self.name = "port0"
        self.requests: list[Frame] = []
        self.written: list[bytes] = []
        self.reopened = 0
        self.clock_s = 0.0  # simulated: only waiting takes time
        self.answers_as_if: bytes | None = (
            None  # a payload: the first reply to each request is to that instead
        )
        self._answer, self._raw = answer, raw
        self._decoder, self._asked, self._ready = FrameDecoder(), SentRequests(), deque[bytes]()

    def now(self) -> float:
        return self.clock_s

    def read(self, timeout_s: float) -> bytes:
        if not self._ready:
            self.clock_s += timeout_s  # a port with nothing to read
            return b""
        return self._ready.popleft()

    def write(self, data: bytes) -> None:
        self.written.append(data)
        if self._raw is not None:
            self._ready.append(self._raw(data))
        for request in self._decoder.feed(data):
            self.requests.append(request)
            self._asked.add(request)
            replies = self._answer(request) if self._answer is not None else []
            self._ready.extend(
                reply
                if isinstance(reply, bytes)
                else encode_frame(reply, self._asked.crc_before(reply.type, reply.seq))
                for reply in replies
            )

    def reopen(self) -> None:
        self.reopened += 1

    def close(self) -> None:
        pass


def reply_to(request: Frame, payload: bytes = b"") -> Frame:
    return Frame(request.type | REPLY, request.seq, request.session, payload)


def board(request: Frame) -> list[Frame]:
    """Answer rightly: IDENTIFY, and the payload back for everything else."""
    return [reply_to(request, IDENTIFY if request.type == MessageType.IDENTIFY else request.payload)]


def mute(_request: Frame) -> list[Frame]:
    return []


def board_that(answer: Answer) -> Port:
    """A board that opens a session rightly and then answers as told."""
    return Port(lambda request: board(request) if request.type == MessageType.IDENTIFY else answer(request))


def connected(port: Port) -> Device:
    device = Device(port)
    device.connect(timeout_s=5.0)
    return device


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 18, 19, 255, 256, 257])
def test_replies_come_back_in_order_whatever_the_number_of_requests(size: int) -> None:
    x_q = np.arange(size).astype(np.int8)
    x = np.arange(size, dtype=np.float32)
    device = connected(Port(board))
    assert np.array_equal(device.infer_codes(x_q), x_q)
    assert np.array_equal(device.infer_floats(x), x)
    assert device.counters.retries == 0


def test_bits_of_a_nan_are_kept() -> None:
    x = np.array([0x7FC00000, 0xFFC12345, 0x7F800000, 0x80000000], np.uint32).view(np.float32)
    assert connected(Port(board)).infer_floats(x).tobytes() == x.tobytes()


def test_requests_in_flight_fit_the_boards_window() -> None:
    port = board_that(mute)
    device = connected(port)
    sent = len(port.written)
    with pytest.raises(LinkError):
        device.infer_codes(np.zeros(256, np.int8))
    first_ping = next(at for at, frame in enumerate(port.requests) if frame.type == MessageType.ECHO)
    burst = port.written[sent:first_ping]
    assert len(burst) == 2
    assert sum(map(len, burst)) <= 63


def test_replies_in_another_order_are_put_right() -> None:
    held: list[Frame] = []

    def swap_the_first_two(request: Frame) -> list[Frame]:
        held.append(reply_to(request, request.payload))
        return {1: [], 2: held[::-1]}.get(len(held), held[-1:])

    x_q = np.arange(72).astype(np.int8)  # four requests, two in flight
    device = connected(board_that(swap_the_first_two))
    assert np.array_equal(device.infer_codes(x_q), x_q)
    assert device.counters.retries == 1, "what is overtaken counts as lost"


@pytest.mark.parametrize("stale", [True, False])
def test_a_reply_to_other_bytes_is_taken_for_damaged(stale: bool) -> None:
    """A late reply whose sequence number has come round again, type and session right: only the CRC can tell."""

    def answer(request: Frame) -> Sequence[Frame | bytes]:
        asked = SentRequests()
        asked.add(replace(request, payload=b"other") if stale else request)
        late = reply_to(request, bytes(18))
        return [encode_frame(late, asked.crc_before(late.type, late.seq)), reply_to(request, request.payload)]

    device = connected(board_that(answer))
    x_q = np.arange(18).astype(np.int8)
    assert np.array_equal(device.infer_codes(x_q), x_q) is stale, "and the other one would be believed"
    assert (device.crc_errors > 0) is stale


def test_silence_before_the_handshake_is_a_link_error() -> None:
    port = Port()
    with pytest.raises(LinkError, match="port0 does not answer") as caught:
        Device(port).connect(timeout_s=0.05)
    assert caught.value.exit_code == ExitCode.LINK
    assert caught.value.next_step
    assert port.reopened == len(SYNC_DELAYS_S), "it looked for a bootloader"
    assert port.written.count(STK_GET_SYNC) == port.reopened, "more would be garbled"


def test_silence_later_is_a_link_error_after_a_fixed_number_of_attempts() -> None:
    port = board_that(mute)
    device = connected(port)
    before = device.counters.frames
    with pytest.raises(LinkError, match="stopped answering"):
        device.echo(b"abc")
    assert device.counters.frames - before == 1 + (ATTEMPTS - 1)


def test_only_harmless_frames_go_into_a_possible_bootloader() -> None:
    for _ in range(5):
        port = board_that(mute)
        device = connected(port)
        handshake = list(port.written)
        with pytest.raises(LinkError):
            device.echo(b"ABC ")
        request, *pings = port.written[len(handshake) :]
        assert all(map(is_safe, [*handshake, *pings]))
        assert not is_safe(request), "the check can tell them apart"


@pytest.mark.parametrize("text", [b"Hello from Blink\r\n", b"t=21.5 C\r\n" * 100, b"hello\0\0world\0"])
def test_another_sketch_is_an_identity_error_that_quotes_it(text: bytes) -> None:
    sent: Iterator[bytes] = iter([text])
    port = Port(raw=lambda _: next(sent, b""))  # once only, as a sketch says hello after its reset
    with pytest.raises(IdentityError, match="another sketch runs on port0") as caught:
        Device(port).connect(timeout_s=0.05)
    assert caught.value.exit_code == ExitCode.IDENTITY
    assert text.split(b"\r")[0].split(b"\0")[0].decode() in caught.value.message
    assert "sinehil flash --port port0" in caught.value.next_step


@pytest.mark.parametrize("noise", [b"\0\xf0\0", b"\xff" * (TALK_BYTES - 1)])
def test_the_noise_of_a_reset_is_not_another_sketch(noise: bytes) -> None:
    sent = iter([noise])
    with pytest.raises(LinkError, match="does not answer"):
        Device(Port(raw=lambda _: next(sent, b""))).connect(timeout_s=0.05)


def test_control_characters_of_another_sketch_do_not_reach_the_terminal() -> None:
    port = Port(raw=lambda _: b"\x1b[2J\xff\a\x7f\r\n")
    with pytest.raises(IdentityError) as caught:
        Device(port).connect(timeout_s=0.05)
    assert caught.value.message.isprintable()


def test_a_lonely_bootloader_is_named() -> None:
    port = Port(raw=lambda data: b"\x14\x10" if data == b"0 " else b"")
    with pytest.raises(IdentityError, match="only the bootloader answers on port0"):
        Device(port).connect(timeout_s=0.05)


def test_another_protocol_version_is_an_identity_error() -> None:
    port = Port(lambda request: [reply_to(request, b"\3" + IDENTIFY[1:])])
    with pytest.raises(IdentityError, match=r"another protocol version .*version 3"):
        Device(port).connect(timeout_s=5.0)


def test_the_handshake_takes_no_reply_of_another_session_or_request() -> None:
    def answer(request: Frame) -> list[Frame]:
        right = board(request)[0]
        wrong = replace(right, payload=b"\3" + IDENTIFY[1:])  # would be an IdentityError
        return [
            replace(wrong, session=right.session ^ 1),
            replace(wrong, seq=right.seq ^ 1),
            replace(wrong, type=MessageType.ECHO | REPLY),
            right,
        ]

    assert Device(Port(answer)).connect(timeout_s=5.0).board == "uno"


def test_replies_of_another_session_type_or_request_are_ignored() -> None:
    def answer(request: Frame) -> list[Frame]:
        right = reply_to(request, request.payload)
        wrong = replace(right, payload=b"?")
        return [
            replace(wrong, session=right.session ^ 1),
            replace(wrong, seq=right.seq ^ 1),
            replace(wrong, type=MessageType.STATS | REPLY),
            right,
        ]

    device = connected(board_that(answer))
    assert device.echo(b"abc") == b"abc"
    assert device.counters.retries == 0


def test_a_late_reply_is_not_taken_for_that_of_the_next_request() -> None:
    late: list[Frame] = []

    def answer(request: Frame) -> list[Frame]:
        if not late:  # the first request's reply comes only after the second try's
            late.append(reply_to(request, b"late"))
            return []
        return [reply_to(request, request.payload)] + (late if request.payload else [])

    device = connected(board_that(answer))
    assert device.echo(b"one") == b"one"
    assert device.echo(b"two") == b"two"
    assert device.counters.retries > 0


def slow(port: Port, seconds: float) -> Port:
    """Let every answer of the board take its time."""
    answer = port._answer
    assert answer is not None

    def later(request: Frame) -> Sequence[Frame | bytes]:
        port.clock_s += seconds
        return answer(request)

    port._answer = later
    return port


def test_a_line_that_is_too_slow_ends_at_the_stated_time() -> None:
    port = Port(board)
    device = connected(port)
    slow(port, 0.9)
    before = port.clock_s
    with pytest.raises(LinkError, match=r"too bad: after 30 s only \d+ of 40 requests") as caught:
        device.infer_codes(np.zeros(40 * 18, np.int8))
    assert caught.value.exit_code == ExitCode.LINK and caught.value.next_step
    most = PATIENCE_S + 40 * PACE_S
    assert most <= port.clock_s - before <= most + REPLY_TIMEOUT_S * (1 + sum(PING_WAITS))


def test_a_line_that_loses_all_but_pings_ends_too() -> None:
    """Silence that a ping ends each time, for ever: the board lives, but never answers what it is asked."""
    port = board_that(lambda request: board(request) if request.type == MessageType.ECHO else [])
    device = connected(port)
    with pytest.raises(LinkError, match="stopped answering"):
        device.infer_codes(np.zeros(18, np.int8))
    assert port.clock_s < ATTEMPTS * 2 * REPLY_TIMEOUT_S


def test_what_a_later_reply_overtakes_is_asked_again_at_once() -> None:
    seen: list[Frame] = []

    def lose_the_third(request: Frame) -> list[Frame]:
        seen.append(request)
        return [] if len(seen) == 3 else board(request)

    port = board_that(lose_the_third)
    device = connected(port)
    before, x_q = port.clock_s, np.arange(180).astype(np.int8)
    assert np.array_equal(device.infer_codes(x_q), x_q)
    assert (device.counters.retries, port.clock_s - before) == (1, 0.0), "no time was waited"


def test_a_lost_reply_costs_little_once_the_round_trip_is_known() -> None:
    seen: list[Frame] = []

    def lose_the_last(request: Frame) -> list[Frame]:
        seen.append(request)
        return [] if len(seen) == 10 else board(request)

    port = board_that(lose_the_last)
    device = connected(port)
    before, x_q = port.clock_s, np.arange(180).astype(np.int8)
    assert np.array_equal(device.infer_codes(x_q), x_q)
    assert port.clock_s - before == pytest.approx(MIN_TIMEOUT_S)


def test_the_round_trip_is_known_from_the_handshake_on() -> None:
    asked: list[Frame] = []

    def lose_the_first(request: Frame) -> list[Frame]:
        asked.append(request)
        return [] if len(asked) == 1 else board(request)

    port = board_that(lose_the_first)
    device = connected(port)
    before = port.clock_s
    assert device.echo(b"abc") == b"abc"
    assert port.clock_s - before == pytest.approx(MIN_TIMEOUT_S)
    identifying = Port(Identifying(1))
    device = connected(identifying)
    before = identifying.clock_s
    device.identify()
    assert identifying.clock_s - before == pytest.approx(MIN_TIMEOUT_S)


def test_a_late_reply_is_used_when_it_comes_before_the_pings() -> None:
    held: list[Frame] = []

    def late(request: Frame) -> list[Frame]:
        if request.type == MessageType.ECHO:
            return [*held, reply_to(request)]
        held.append(reply_to(request, request.payload))
        return []

    device = connected(board_that(late))
    x_q = np.arange(36).astype(np.int8)
    assert np.array_equal(device.infer_codes(x_q), x_q)
    assert (device.counters.retries, len(held)) == (0, 2)


def test_a_round_trip_is_learnt_within_its_limits() -> None:
    trip = RoundTrip(1.0)
    assert trip.timeout_s == 1.0
    trip.add(0.01)
    assert trip.timeout_s == MIN_TIMEOUT_S
    for _ in range(50):
        trip.add(0.4)
    assert 0.4 < trip.timeout_s < 0.5
    trip.add(30.0)
    assert trip.timeout_s == 1.0


@pytest.mark.parametrize("code", [ErrorCode.UNKNOWN_TYPE, ErrorCode.BAD_LENGTH])
def test_a_refused_request_is_an_identity_error(code: ErrorCode) -> None:
    def answer(request: Frame) -> list[Frame]:
        return [Frame(MessageType.ERROR, request.seq, request.session, bytes([code, request.type]))]

    with pytest.raises(IdentityError, match=code.name):
        connected(board_that(answer)).echo(b"abc")


def test_a_reply_with_fewer_values_is_an_identity_error() -> None:
    port = board_that(lambda request: [reply_to(request, request.payload[:-1])])
    with pytest.raises(IdentityError, match="another number of values"):
        connected(port).infer_codes(np.zeros(3, np.int8))


class Identifying:
    """A board that says which life it is in; ``lost`` numbers the IDENTIFY replies, from 0, that the line loses."""

    def __init__(self, *lost: int) -> None:
        self.life, self.replies, self.lost = 1, list[Frame](), lost

    def __call__(self, request: Frame) -> list[Frame]:
        self.replies.append(reply_to(request, IDENTIFY[:8] + struct.pack("<I", self.life) + IDENTIFY[12:]))
        return [] if len(self.replies) - 1 in self.lost else self.replies[-1:]


@pytest.mark.parametrize("lost", [(), (1,), range(1, 20)])
def test_a_second_identification_survives_loss(lost: Sequence[int]) -> None:
    identifying = Identifying(*lost)
    device = connected(Port(identifying))
    assert device.identify().life == 1
    assert len(identifying.replies) == 2 + len(lost)
    assert len({reply.session for reply in identifying.replies}) == 2 + len(lost), "each has its own session"


def test_a_second_identification_is_no_late_answer_to_the_first() -> None:
    identifying = Identifying()
    first = list[Frame]()

    def replays(request: Frame) -> list[Frame]:
        first.extend(identifying(request)[: 0 if first else 1])
        return [replace(first[0], seq=request.seq)]

    device = connected(Port(replays))
    with pytest.raises(LinkError, match="stopped answering"):
        device.identify()


def test_a_reset_between_two_identifications_is_noticed() -> None:
    """Also if the first answer of the new life is lost, and the next one is in a session that it knows."""
    for lost in ((), (1,), (1, 2)):
        identifying = Identifying(*lost)
        device = connected(Port(identifying))
        identifying.life = 2
        with pytest.raises(LinkError, match="was reset"):
            device.identify()


def test_connect_comes_first() -> None:
    with pytest.raises(AssertionError, match="connect"):
        Device(Port(board)).echo(b"")


@pytest.mark.parametrize("ask", [Device.stats, lambda device: device.bench(0, 1)])
def test_a_reply_that_makes_no_sense_is_an_identity_error(ask: Callable[[Device], object]) -> None:
    device = connected(board_that(lambda request: [reply_to(request, b"\x01")]))
    with pytest.raises(IdentityError, match="another protocol version"):
        ask(device)
