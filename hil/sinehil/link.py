"""The host's end of the wire: handshake, windowed requests, retries, resets noticed. See hil/PROTOCOL.md."""

import secrets
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sinehil import protocol
from sinehil.deadline import Deadline
from sinehil.diagnosis import who_is_there
from sinehil.errors import IdentityError, LinkError
from sinehil.protocol import ErrorCode, Frame, MessageType
from sinehil.transport import Transport

HANDSHAKE_INTERVAL_S = 0.05
REPLY_TIMEOUT_S = 1.0
ATTEMPTS = 5

Progress = Callable[[int], None]
Reply = TypeVar("Reply")


@dataclass(frozen=True)
class _Pending:
    """A request in flight: which payload it carries and how much of the board's ring it may fill."""

    index: int
    wire_bytes: int


@dataclass
class LinkCounters:
    """What the link cost so far."""

    frames: int = 0
    retries: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0


class Link:
    """One session with a board. Requests are pure, so a lost one is simply sent again."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._decoder = protocol.FrameDecoder()
        self._received: deque[Frame] = deque()
        self._seq = 0
        self._window_bytes = 0
        self.session = 0
        self.counters = LinkCounters()

    @property
    def crc_errors(self) -> int:
        """Damaged frames received so far."""
        return self._decoder.crc_errors

    @property
    def port(self) -> str:
        """The port's name."""
        return self._transport.name

    def open(self, timeout_s: float) -> protocol.IdentifyReply:
        """Wait until the sketch answers IDENTIFY and begin a session.

        Raises LinkError if nothing answers, IdentityError if something else does.
        """
        self._decoder = protocol.FrameDecoder()
        self.session = _random_session()
        request = self._safe_request(MessageType.IDENTIFY)
        deadline = self._within(timeout_s)
        while not deadline.expired:
            self._send(request)
            interval = self._within(HANDSHAKE_INTERVAL_S)
            for frame in self._frames_until(interval):
                if _answers(frame, request) and frame.session == self.session:
                    reply = self.understood(protocol.IdentifyReply.unpack, frame.payload)
                    self._window_bytes = reply.window_bytes
                    return reply
        raise who_is_there(self._transport, self._decoder.discarded)

    def exchange(
        self, kind: MessageType, payloads: Sequence[bytes], progress: Progress | None = None
    ) -> list[bytes]:
        """Send every payload and return the replies in the same order, a few requests in flight.

        ``progress`` is called with the index of each payload that is answered.
        """
        replies: dict[int, bytes] = {}
        waiting = list(range(len(payloads)))[::-1]  # indices of payloads, the next one last
        in_flight: dict[int, _Pending] = {}  # by sequence number
        silences = 0
        while waiting or in_flight:
            self._fill_window(kind, payloads, waiting, in_flight)
            reply = self._next_reply(in_flight, kind)
            if reply is None:
                silences += 1
                self._recover(silences)
                self.counters.retries += len(in_flight)
                waiting.extend(sorted((pending.index for pending in in_flight.values()), reverse=True))
                in_flight.clear()
                continue
            silences = 0
            index = in_flight.pop(reply.seq).index
            replies[index] = reply.payload
            if progress is not None:
                progress(index)
        return [replies[index] for index in range(len(payloads))]

    def _fill_window(
        self,
        kind: MessageType,
        payloads: Sequence[bytes],
        waiting: list[int],
        in_flight: dict[int, _Pending],
    ) -> None:
        """Send from ``waiting`` until the board's receive ring could be full.

        One request alone may be longer than the ring: a board that has nothing else to do empties it as it fills.
        """
        used = sum(pending.wire_bytes for pending in in_flight.values())
        while waiting:
            request = self._request(kind, payloads[waiting[-1]])
            size = len(protocol.encode_frame(request))
            if in_flight and used + size > self._window_bytes:
                return
            self._send(request)
            in_flight[request.seq] = _Pending(waiting.pop(), size)
            used += size

    def _next_reply(self, in_flight: dict[int, _Pending], kind: MessageType) -> Frame | None:
        """Return the next reply to a request in flight, or None when it takes too long."""
        for frame in self._frames_until(self._within(REPLY_TIMEOUT_S)):
            self._check_session(frame)
            if frame.session == self.session and frame.seq in in_flight:
                if frame.type == kind | protocol.REPLY:
                    return frame
                if frame.type == MessageType.ERROR:
                    raise self._refused(frame)
        return None

    def _recover(self, silences: int) -> None:
        """After silence, ask with a frame that is harmless to a bootloader whether our session still lives."""
        for _ in range(silences, ATTEMPTS):
            ping = self._safe_request(MessageType.ECHO)
            self._send(ping)
            for frame in self._frames_until(self._within(REPLY_TIMEOUT_S)):
                self._check_session(frame)
                if _answers(frame, ping) and frame.session == self.session:
                    return
        raise LinkError(
            f"the board on {self.port} stopped answering",
            "check cable and power, press the board's reset button, and run the command again",
        )

    def _check_session(self, frame: Frame) -> None:
        """Notice a reset: the board has forgotten our session and says so in every reply."""
        foreign = frame.type == MessageType.ERROR and frame.session != self.session
        if (
            foreign
            and self.understood(protocol.ErrorReply.unpack, frame.payload).code == ErrorCode.BAD_SESSION
        ):
            raise self.was_reset()

    def was_reset(self) -> LinkError:
        """Return the error for a board that has forgotten the session."""
        return LinkError(
            f"the board on {self.port} was reset in the middle of the run",
            "nothing of this run counts; check the power supply and run the command again",
        )

    def _refused(self, frame: Frame) -> IdentityError:
        error = self.understood(protocol.ErrorReply.unpack, frame.payload)
        return IdentityError(
            f"the board on {self.port} refused a request: {error.code.name}",
            "its firmware is of another version: run `sinehil flash`",
        )

    def _frames_until(self, deadline: Deadline) -> Iterator[Frame]:
        """Yield frames as they come; those not taken stay for the next call."""
        while True:
            while self._received:
                yield self._received.popleft()
            if deadline.expired:
                return
            data = self._transport.read(deadline.remaining_s)
            self.counters.bytes_received += len(data)
            self._received.extend(self._decoder.feed(data))

    def _within(self, seconds: float) -> Deadline:
        return Deadline.after(seconds, self._transport.now)

    def _send(self, frame: Frame) -> None:
        data = protocol.encode_frame(frame)
        self._transport.write(data)
        self.counters.frames += 1
        self.counters.bytes_sent += len(data)

    def _request(self, kind: MessageType, payload: bytes = b"") -> Frame:
        self._seq = (self._seq + 1) & 0xFF
        return Frame(kind, self._seq, self.session, payload)

    def _safe_request(self, kind: MessageType) -> Frame:
        """Return an empty request whose bytes no bootloader takes for a command.

        About a quarter of the 256 sequence numbers give such a frame (the session has no such byte), so that
        none among them has a probability below 1e-30.
        """
        requests = (self._request(kind) for _ in range(256))
        return next(item for item in requests if protocol.is_bootloader_safe(protocol.encode_frame(item)))

    def understood(self, unpack: Callable[[bytes], Reply], payload: bytes) -> Reply:
        """Return the unpacked reply; IdentityError if it makes no sense."""
        try:
            return unpack(payload)
        except protocol.ProtocolError as error:
            raise IdentityError(
                f"the firmware on {self.port} speaks another protocol version ({error})",
                "run `sinehil flash` to put this version's firmware on it",
            ) from error


def _random_session() -> int:
    """Return a session number, never 0, none of whose bytes a bootloader takes for a command."""
    quiet = [byte for byte in range(1, 256) if not 0x40 <= byte <= 0x7F and byte != 0x20]
    return int.from_bytes(bytes(secrets.choice(quiet) for _ in range(4)), "little")


def _answers(frame: Frame, request: Frame) -> bool:
    return frame.seq == request.seq and frame.type == request.type | protocol.REPLY
