"""What a trace says of lines that lose, damage, repeat and add bytes, held against what was done and the counters."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pytest
from faults import BadLine, Spoil, add_before, both, flip_bit, lose, twice
from native_link import NativeLink, Start

from sinehil.board import link as link_module
from sinehil.board.device import Device
from sinehil.board.link import NOT_ASKED_FOR, OTHER_SESSION
from sinehil.board.protocol import REPLY, DropReason, Frame, MessageType, encode_frame
from sinehil.board.trace import TraceKind
from sinehil.errors import LinkError

EVERY_CODE = np.arange(-128, 128).astype(np.int8)
OVERLONG = b"no delimiter " * 30 + b"\0"

pytestmark = pytest.mark.parametrize("build", [("gcc", "g++")], indirect=True, ids=["g++"], scope="session")


@dataclass(frozen=True)
class Event:
    at_s: float
    kind: TraceKind
    frame: Frame | None
    note: str
    data: bytes


@dataclass
class Events:
    """A TraceSink in memory."""

    all: list[Event] = field(default_factory=list)

    def record(
        self, at_s: float, port: str, kind: TraceKind, frame: Frame | None, note: str, data: bytes
    ) -> None:
        assert port
        self.all.append(Event(at_s, kind, frame, note, data))

    def of(self, kind: TraceKind, note: str | None = None) -> list[Event]:
        return [event for event in self.all if event.kind is kind and note in (None, event.note)]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_module, "REPLY_TIMEOUT_S", 0.1)


def traced(link: NativeLink, on_request: Spoil | None, on_reply: Spoil | None) -> tuple[Device, Events]:
    """Connect over a good line, then let it go bad, and begin a trace of that."""
    device = Device(BadLine(link), trace=(events := Events()))
    device.connect()
    device.identify()
    assert not events.of(TraceKind.LOST)
    device._link._transport = BadLine(link, on_request, on_reply)
    return device, events


def agrees(device: Device, events: Events) -> None:
    """Hold a trace against the link's counters."""
    counters, sent = device.counters, events.of(TraceKind.SENT)
    assert len(sent) == counters.frames
    assert sum(len(encode_frame(event.frame)) for event in sent if event.frame) == counters.bytes_sent
    assert len(events.of(TraceKind.LOST)) == len(events.of(TraceKind.SENT, "again")) == counters.retries
    assert len(events.of(TraceKind.DROPPED, DropReason.BAD_CRC)) == device.crc_errors
    assert [event.at_s for event in events.all] == sorted(event.at_s for event in events.all)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("on_request", "on_reply", "dropped", "lost"),
    [
        (None, None, {}, 0),
        (None, lose(1), {}, 1),
        (lose(2), None, {}, 1),
        (None, flip_bit(4, 8 * 10 + 7), {DropReason.BAD_CRC: 1}, 1),
        (None, both(flip_bit(2, 80), flip_bit(5, 80)), {DropReason.BAD_CRC: 2}, 2),
        (None, twice(3), {NOT_ASKED_FOR: 1}, 0),
        (None, add_before(3, b"ab\0"), {DropReason.BAD_FRAMING: 1}, 0),
        (None, add_before(3, OVERLONG), {DropReason.TOO_LONG: 1}, 0),
        (
            None,
            add_before(2, encode_frame(Frame(MessageType.IDENTIFY | REPLY, 1, 99))),
            {OTHER_SESSION: 1},
            0,
        ),
    ],
)
def test_it_says_what_was_dropped_and_sent_again(
    start_native: Start, on_request: Spoil | None, on_reply: Spoil | None, dropped: dict[str, int], lost: int
) -> None:
    device, events = traced(start_native(), on_request, on_reply)
    assert np.array_equal(device.infer_codes(EVERY_CODE), EVERY_CODE ^ 0x55)
    agrees(device, events)
    assert Counter(event.note for event in events.of(TraceKind.DROPPED)) == dropped
    assert len(events.of(TraceKind.LOST)) == lost


def test_a_frame_of_another_session_is_named_and_dropped(start_native: Start) -> None:
    foreign = Frame(MessageType.ERROR, 1, 99, bytes([1, 2]))
    device, events = traced(start_native(), None, add_before(2, encode_frame(foreign)))
    device.infer_codes(EVERY_CODE)
    [event] = events.of(TraceKind.DROPPED)
    assert (event.frame, event.note) == (foreign, OTHER_SESSION)


def test_every_reply_stands_in_it_between_handshake_and_end(start_native: Start) -> None:
    device = Device(BadLine(start_native()), trace=(events := Events()))
    device.connect()
    assert device.echo(b"abc") == b"abc"
    assert [event.kind for event in events.all[:2]] == [TraceKind.HANDSHAKE, TraceKind.SENT]
    [session] = events.of(TraceKind.SESSION)
    assert session.note.startswith("known kernel on native, life ")
    [echo] = [
        event.frame for event in events.all if event.frame and event.frame.type == MessageType.ECHO | REPLY
    ]
    assert echo.payload == b"abc" and echo.session == device._link.session


def test_a_reset_is_told(start_native: Start) -> None:
    link = start_native()
    device, events = traced(link, None, None)
    other = start_native()
    device._link._transport = BadLine(other)
    with pytest.raises(LinkError, match="reset"):
        device.echo(b"")
    assert len(events.of(TraceKind.RESET)) == 1
