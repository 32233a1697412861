"""What a hostile host sends at full line rate, and how long the board takes to answer after it, in simulated time."""

from collections.abc import Callable

import numpy as np

from sinehil.base.deadline import Deadline
from sinehil.board.protocol import REPLY, Frame, FrameDecoder, MessageType, SentRequests, encode_frame
from sinehil.board.transport import SerialTransport
from sinehil.virtual import ControlClient

CPU_HZ = 16_000_000
BYTES_PER_SECOND = 11_520
BYTE_CYCLES = 10 * CPU_HZ / 115_200
PIECE_BYTES = 2_000
LONGEST_PAYLOAD = 60


def noise(session: int) -> bytes:
    """Return random bytes, zeros among them."""
    return np.random.default_rng(session).bytes(100_000)


def endless(session: int) -> bytes:
    """Return a frame that never ends: no zero byte."""
    return noise(session).replace(b"\0", b"\1")


def wrong_lengths(session: int) -> bytes:
    """Return each command with each length, right ones among them, in the board's session."""
    kinds = (
        MessageType.ECHO,
        MessageType.INFER_F32,
        MessageType.INFER_I8,
        MessageType.BENCH,
        MessageType.STATS,
        7,
        9,
    )
    frames = (Frame(kind, n, session, bytes([n + 1] * n)) for kind in kinds for n in range(LONGEST_PAYLOAD))
    return b"".join(map(encode_frame, frames))


def zeros(_: int) -> bytes:
    """Return nothing but delimiters."""
    return bytes(PIECE_BYTES)


def largest_echoes(session: int) -> bytes:
    """Return requests whose replies are as long as themselves, without a pause."""
    return b"".join(encode_frame(Frame(MessageType.ECHO, n, session, b"\1" * 50)) for n in range(200))


FLOODS: dict[str, Callable[[int], bytes]] = {
    "noise": noise,
    "endless": endless,
    "wrong lengths": wrong_lengths,
    "zeros": zeros,
    "largest echoes": largest_echoes,
}


def flood(port: SerialTransport, control: ControlClient, data: bytes, seconds: float) -> None:
    """Send ``data`` over and over for so long of the line's time; nothing is read meanwhile."""
    total = int(seconds * BYTES_PER_SECOND)
    data *= -(-total // len(data))
    before = control.stats()
    for start in range(0, total, PIECE_BYTES):
        port.write(data[start : min(start + PIECE_BYTES, total)])
    deadline = Deadline.after(60)
    while (after := control.stats()).received - before.received < total and not deadline.expired:
        pass
    assert after.received - before.received == total
    idle = CPU_HZ / 2  # the board runs ahead between our last byte before and the first one here
    assert after.received_at - before.received_at < total * BYTE_CYCLES * 1.1 + idle, (
        "the line was never idle"
    )


def answer_time_s(port: SerialTransport, control: ControlClient, session: int) -> float:
    """Return the time from an ECHO's last start bit to its answer's last byte; what comes before is thrown away."""
    echo = Frame(MessageType.ECHO, 0xEE, session, b"still there")
    wire = encode_frame(echo)
    before = control.stats().received
    port.write(wire)
    sent = SentRequests()
    sent.add(echo)
    decoder, deadline = FrameDecoder(sent.crc_before), Deadline.after(10)
    while not deadline.expired:
        for frame in decoder.feed(port.read(deadline.remaining_s)):
            if (frame.type, frame.seq, frame.payload) == (echo.type | REPLY, echo.seq, echo.payload):
                stats = control.stats()
                assert stats.received == before + len(wire)
                return (stats.sent_at - stats.received_at) / CPU_HZ
    raise AssertionError("no answer")
