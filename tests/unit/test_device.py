"""The host's end of the link against ports that are silent, talk nonsense or speak for somebody else.

What a sinehil board does when the line is bad stands in tests/firmware/test_device_recovery.py, with the real firmware.
"""

import struct
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest

from sinehil import link as link_module
from sinehil.device import Device
from sinehil.diagnosis import STK_GET_SYNC, SYNC_DELAYS_S, TALK_BYTES
from sinehil.errors import ExitCode, IdentityError, LinkError
from sinehil.link import ATTEMPTS
from sinehil.protocol import REPLY, ErrorCode, Frame, FrameDecoder, MessageType, encode_frame
from sinehil.protocol import is_bootloader_safe as is_safe

IDENTIFY = struct.pack(
    "<BBHIII12s12s12s12s32sffbbBB",
    *(1, 50, 63, 16_000_000, 0, 0xCAFE, b"0.1.0", b"uno", b"generated", b"litert", bytes(range(32))),
    *(0.5, 0.25, -128, 3, 1, 1),
)

Answer = Callable[[Frame], list[Frame]]


class Port:
    """A port whose other end is a function from requests to replies; ``raw`` is sent back for every write."""

    def __init__(self, answer: Answer | None = None, raw: Callable[[bytes], bytes] | None = None) -> None:
        self.name = "port0"
        self.requests: list[Frame] = []
        self.written: list[bytes] = []
        self.reopened = 0
        self._answer, self._raw = answer, raw
        self._decoder, self._ready = FrameDecoder(), deque[bytes]()

    def now(self) -> float:
        return time.monotonic()

    def read(self, timeout_s: float) -> bytes:
        if not self._ready:
            time.sleep(timeout_s)  # a port with nothing to read
            return b""
        return self._ready.popleft()

    def write(self, data: bytes) -> None:
        self.written.append(data)
        if self._raw is not None:
            self._ready.append(self._raw(data))
        for request in self._decoder.feed(data):
            self.requests.append(request)
            replies = self._answer(request) if self._answer is not None else []
            self._ready.extend(encode_frame(reply) for reply in replies)

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


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """For ports that stay silent; others answer at once and need no shorter waits."""
    monkeypatch.setattr(link_module, "REPLY_TIMEOUT_S", 0.02)


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


@pytest.mark.usefixtures("impatient")
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

    def swap_pairs(request: Frame) -> list[Frame]:
        held.append(reply_to(request, request.payload))
        if len(held) < 2:
            return []
        pair = held[::-1]
        held.clear()
        return pair

    x_q = np.arange(72).astype(np.int8)  # four requests, two in flight
    assert np.array_equal(connected(board_that(swap_pairs)).infer_codes(x_q), x_q)


@pytest.mark.timeout(30)
def test_silence_before_the_handshake_is_a_link_error() -> None:
    port = Port()
    with pytest.raises(LinkError, match="port0 does not answer") as caught:
        Device(port).connect(timeout_s=0.05)
    assert caught.value.exit_code == ExitCode.LINK
    assert caught.value.next_step
    assert port.reopened == len(SYNC_DELAYS_S), "it looked for a bootloader"
    assert port.written.count(STK_GET_SYNC) == port.reopened, "more would be garbled"


@pytest.mark.usefixtures("impatient")
def test_silence_later_is_a_link_error_after_a_fixed_number_of_attempts() -> None:
    port = board_that(mute)
    device = connected(port)
    before = device.counters.frames
    with pytest.raises(LinkError, match="stopped answering"):
        device.echo(b"abc")
    assert device.counters.frames - before == 1 + (ATTEMPTS - 1)


@pytest.mark.usefixtures("impatient")
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
    port = Port(lambda request: [reply_to(request, b"\2" + IDENTIFY[1:])])
    with pytest.raises(IdentityError, match=r"another protocol version .*version 2"):
        Device(port).connect(timeout_s=5.0)


def test_the_handshake_takes_no_reply_of_another_session_or_request() -> None:
    def answer(request: Frame) -> list[Frame]:
        right = board(request)[0]
        wrong = replace(right, payload=b"\2" + IDENTIFY[1:])  # would be an IdentityError
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


@pytest.mark.usefixtures("impatient")
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


def test_a_reset_between_two_identifications_is_noticed() -> None:
    device = connected(Port(board))  # always says that there was no session before
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
