"""The host's end of the wire: handshake, sessions, frames, detection of resets and silence. See hil/PROTOCOL.md."""

import logging
import secrets
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sinehil.base.deadline import Deadline
from sinehil.board import protocol
from sinehil.board.diagnosis import who_is_there
from sinehil.board.protocol import DropReason, ErrorCode, Frame, MessageType
from sinehil.board.timing import RoundTrip
from sinehil.board.trace import TraceKind, TraceSink
from sinehil.board.transport import Transport
from sinehil.errors import IdentityError, LinkError

HANDSHAKE_INTERVAL_S = 0.05
IDENTIFY_AGAIN_WAITS = 5.0  # times the longest wait
REPLY_TIMEOUT_S = 1.0
PING_WAITS = (0.25, 0.75, 1.0, 2.0)  # times the longest wait; no more pings than the board's ring holds
ATTEMPTS = 5
NOT_ASKED_FOR = "late, twice, or not asked for"
OTHER_SESSION = "of another session"

log = logging.getLogger(__name__)

Reply = TypeVar("Reply")
Choose = Callable[[Sequence[int]], int]  # by chance


@dataclass
class LinkCounters:
    """What the link cost so far."""

    frames: int = 0
    retries: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0


class Link:
    """One session with a board. Requests are pure, so a lost one is simply sent again.

    Without a ``trace`` nobody takes note of what passes.
    """

    def __init__(
        self, transport: Transport, choose: Choose = secrets.choice, trace: TraceSink | None = None
    ) -> None:
        self._transport, self._choose, self._trace = transport, choose, trace
        self._sent = protocol.SentRequests()
        self._decoder = self._new_decoder()
        self._received: deque[Frame] = deque()
        self._seq = 0
        self._longest_wait_s = REPLY_TIMEOUT_S
        self.round_trip = RoundTrip(self._longest_wait_s)
        self.window_bytes = 0
        self.session = self._life = 0
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
        self._decoder = self._new_decoder()
        self.session = _random_session(self._choose)
        request = self._safe_request(MessageType.IDENTIFY)
        self.note(TraceKind.HANDSHAKE, note=f"for {timeout_s:g} s")
        deadline, attempts = self.within(timeout_s), 0
        while not deadline.expired:
            attempts += 1
            log.debug("%s: handshake, attempt %d", self.port, attempts)
            self.send(request, "again: no answer yet" if attempts > 1 else "")
            sent_at_s, interval = self.now(), self.within(HANDSHAKE_INTERVAL_S)
            for frame in self.frames_until(interval):
                if _answers(frame, request) and frame.session == self.session:
                    reply = self.understood(protocol.IdentifyReply.unpack, frame.payload)
                    self.window_bytes, self._life = reply.window_bytes, reply.life
                    self.round_trip.add(self.now() - sent_at_s)
                    self._opened(reply, attempts)
                    return reply
                self.drop(frame)
        raise self._unanswered()

    def _opened(self, reply: protocol.IdentifyReply, attempts: int) -> None:
        self.note(TraceKind.SESSION, note=f"{reply.engine} kernel on {reply.board}, life {reply.life:08x}")
        log.info("%s: session with %s after %d attempts", self.port, reply.board, attempts)

    def _unanswered(self) -> LinkError | IdentityError:
        heard = self._decoder.discarded
        self.note(TraceKind.SILENCE, note="no handshake; heard, but no frame of ours", data=heard)
        log.info("%s: no answer to the handshake, %d bytes that are no frame", self.port, len(heard))
        return who_is_there(self._transport, heard)

    def identify_again(self) -> protocol.IdentifyReply:
        """Begin another session and return who answers now; LinkError if the board was reset or exchanged meanwhile.

        Each attempt is a session of its own, so that the answer is to this question, not a late one to an earlier.
        """
        deadline = self.within(IDENTIFY_AGAIN_WAITS * self._longest_wait_s)
        while not deadline.expired:
            self.session = _random_session(self._choose)
            request = self._safe_request(MessageType.IDENTIFY)
            self.send(request)
            wait_s = min(self.round_trip.timeout_s, deadline.remaining_s)
            for frame in self.frames_until(self.within(wait_s)):
                if _answers(frame, request) and frame.session == self.session:
                    reply = self.understood(protocol.IdentifyReply.unpack, frame.payload)
                    if reply.life != self._life:
                        raise self.was_reset()
                    return reply
                self.drop(frame)
        raise self._silent()

    def ping(self, most: int, wanted: Callable[[Frame], bool]) -> list[Frame]:
        """After silence, ask with a frame that is harmless to a bootloader whether the session still lives.

        Returns the ``wanted`` frames that came before the answer: a board answers in order, so nothing that was sent
        earlier comes after it. Raises LinkError if ``most`` pings bring none.
        """
        pings, late = set[int](), list[Frame]()
        for wait in PING_WAITS[len(PING_WAITS) - most :]:
            ping = self._safe_request(MessageType.ECHO)
            self.send(ping, "does the board live?")
            pings.add(ping.seq)
            for frame in self.replies_until(self.within(wait * self._longest_wait_s)):
                if frame.seq in pings:
                    return late
                if wanted(frame):
                    late.append(frame)
                else:
                    self.drop(frame)
        if late:  # the pings came while it had no time to take them in, as during a long BENCH
            return late
        raise self._silent()

    def replies_until(self, deadline: Deadline) -> Iterator[Frame]:
        """Yield the frames of this session as they come; LinkError when a board has forgotten it, thus was reset."""
        for frame in self.frames_until(deadline):
            if self._is_bad_session(frame):
                if frame.session != self.session:
                    raise self.was_reset()
                self.drop(frame, OTHER_SESSION)  # the request that it refuses
            elif frame.session == self.session:
                yield frame
            else:
                self.drop(frame, OTHER_SESSION)

    def _is_bad_session(self, frame: Frame) -> bool:
        """Return whether it refuses a request of another session than the board's, which the frame names."""
        if frame.type != MessageType.ERROR:
            return False
        return self.understood(protocol.ErrorReply.unpack, frame.payload).code == ErrorCode.BAD_SESSION

    def was_reset(self) -> LinkError:
        """Return the error for a board that has forgotten the session."""
        self.note(TraceKind.RESET, note="the board has forgotten the session")
        return LinkError(
            f"the board on {self.port} was reset in the middle of the run",
            "nothing of this run counts; check the power supply and run the command again",
        )

    def _silent(self) -> LinkError:
        self.note(TraceKind.SILENCE, note="no answer any more")
        return LinkError(
            f"the board on {self.port} stopped answering",
            "check cable and power, press the board's reset button, and run the command again",
        )

    def refused(self, frame: Frame) -> IdentityError:
        """Return the error for a board that does not do what it was asked."""
        error = self.understood(protocol.ErrorReply.unpack, frame.payload)
        return IdentityError(
            f"the board on {self.port} refused a request: {error.code.name}",
            "its firmware is of another version: run `sinehil flash`",
        )

    def frames_until(self, deadline: Deadline) -> Iterator[Frame]:
        """Yield frames as they come; those not taken stay for the next call."""
        while True:
            while self._received:
                yield self._received.popleft()
            if deadline.expired:
                return
            data = self._transport.read(deadline.remaining_s)
            self.counters.bytes_received += len(data)
            frames = self._decoder.feed(data)
            for frame in frames:
                self.note(TraceKind.RECEIVED, frame)
            self._received.extend(frames)

    def now(self) -> float:
        """Return seconds on the line's clock."""
        return self._transport.now()

    def within(self, seconds: float) -> Deadline:
        """Return the deadline ``seconds`` from now on the line's clock."""
        return Deadline.after(seconds, self.now)

    def send(self, frame: Frame, note: str = "") -> None:
        """Put a request on the line; ``note`` says in a trace why."""
        self._sent.add(frame)
        self.note(TraceKind.SENT, frame, note)
        data = protocol.encode_frame(frame)
        self._transport.write(data)
        self.counters.frames += 1
        self.counters.bytes_sent += len(data)

    def drop(self, frame: Frame, reason: str = NOT_ASKED_FOR) -> None:
        """Take note of a frame that does not count."""
        self.note(TraceKind.DROPPED, frame, reason)

    def note(self, kind: TraceKind, frame: Frame | None = None, note: str = "", data: bytes = b"") -> None:
        """Add an event to the trace, if there is one."""
        if self._trace is not None:
            self._trace.record(self.now(), self.port, kind, frame, note, data)

    def _new_decoder(self) -> protocol.FrameDecoder:
        if self._trace is None:
            return protocol.FrameDecoder(self._sent.crc_before)
        return protocol.FrameDecoder(self._sent.crc_before, self._no_frame)

    def _no_frame(self, reason: DropReason, data: bytes) -> None:
        self.note(TraceKind.DROPPED, note=reason, data=data)

    def request(self, kind: MessageType, payload: bytes = b"") -> Frame:
        """Return a request with the next sequence number."""
        self._seq = (self._seq + 1) & 0xFF
        return Frame(kind, self._seq, self.session, payload)

    def _safe_request(self, kind: MessageType) -> Frame:
        """Return an empty request whose bytes no bootloader takes for a command.

        About a quarter of the 256 sequence numbers give such a frame (the session has no such byte), so that
        none among them has a probability below 1e-30.
        """
        requests = (self.request(kind) for _ in range(256))
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


def _random_session(choose: Choose) -> int:
    """Return a session number, never 0, none of whose bytes a bootloader takes for a command."""
    quiet = [byte for byte in range(1, 256) if not 0x40 <= byte <= 0x7F and byte != 0x20]
    return int.from_bytes(bytes(choose(quiet) for _ in range(4)), "little")


def _answers(frame: Frame, request: Frame) -> bool:
    return frame.seq == request.seq and frame.type == request.type | protocol.REPLY
