"""Simulate boards behind a line of 115200 baud, in simulated time: a Transport whose waits cost nothing."""

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sinehil.errors import LinkError
from sinehil_audit.link.fault_schedule import Direction, Fault, FaultKind, Schedule, SeededRandom
from sinehil_audit.link.faulty_transport import FaultyDirection, LineStep
from sinehil_audit.link.known_answers import KnownFirmware
from sinehil_audit.link.reference_parser import IDENTIFY, ParsedRequest, RequestParser, request

BYTE_S = 10 / 115200
RING_BYTES = 63
BOOT_S = 1.1  # a bootloader listens first, to something else
IDENTIFY_S, REQUEST_S, PAYLOAD_BYTE_S = 0.01, 0.0003, 0.00012

Answer = Callable[[float, bytes, ParsedRequest], float]


@dataclass(frozen=True)
class AnsweredRequest:
    """A request that a board answered. An epoch is a board's life between two resets; every one has its number."""

    epoch: int
    firmware: KnownFirmware
    request: ParsedRequest
    reply: bytes


class SimulatedEndpoint:
    """A board's end of the line: its receive ring, its time, its resets, and the log of what it was asked.

    ``answer`` is called with when a reply is ready, its bytes and its request; it returns when the board goes on.
    """

    def __init__(self, firmware: KnownFirmware, answer: Answer) -> None:
        self.request_log: list[AnsweredRequest] = []
        self.epoch = 0
        self.surprises: list[str] = []
        self._answer = answer
        self._parser = RequestParser()
        self._ring = bytearray()
        self._busy_until = self._deaf_until = 0.0
        self.plug_in(firmware, 0.0, 0.0)

    def plug_in(self, firmware: KnownFirmware, at: float, boot_s: float = BOOT_S) -> None:
        """Put another board, or the same one, at the end of the line."""
        self.firmware, self._board = firmware, firmware.image.board()
        self.reset(at, boot_s)

    def reset(self, at: float, boot_s: float = BOOT_S) -> None:
        """Let the board forget everything, and hear nothing for ``boot_s``."""
        self.epoch += 1
        self._board.reset(self.epoch)
        self._parser.reset()
        self._ring.clear()
        self._busy_until, self._deaf_until = at, at + boot_s

    def arrive(self, at: float, data: bytes) -> None:
        """Take bytes of the line; the first one is complete at ``at``."""
        while data:
            if at < self._deaf_until:
                missed = math.ceil((self._deaf_until - at) / BYTE_S)
                data, at = data[missed:], at + missed * BYTE_S
                continue
            self.catch_up(at)
            if self._busy_until > at:
                count = min(len(data), math.ceil((self._busy_until - at) / BYTE_S))
                room = RING_BYTES - len(self._ring)
                self._ring += data[: min(count, room)]
            else:
                count = _to_delimiter(data)
                self._take(data[:count], at + (count - 1) * BYTE_S)
            data, at = data[count:], at + count * BYTE_S

    def catch_up(self, until: float) -> None:
        """Let the board work until then."""
        while self._ring and self._busy_until <= until:
            count = _to_delimiter(self._ring)
            piece = bytes(self._ring[:count])
            del self._ring[:count]
            self._take(piece, self._busy_until)

    @property
    def works_at(self) -> float:
        """When the board has something to do next, if nothing more arrives."""
        return self._busy_until if self._ring else math.inf

    def _take(self, piece: bytes, at: float) -> None:
        requests, replies = self._parser.feed(piece), self._board.feed(piece)
        if len(requests) != len(replies):
            self.surprises.append(
                f"the board answered {len(replies)} of {len(requests)} requests in {piece!r}"
            )
            return
        epoch, self._busy_until = self.epoch, max(at, self._busy_until)
        for seen, reply in zip(requests, replies, strict=True):
            if self.epoch != epoch:
                return
            self.request_log.append(AnsweredRequest(epoch, self.firmware, seen, reply))
            goes_on = self._answer(self._busy_until + _work_s(seen), reply, seen)
            if self.epoch == epoch:
                self._busy_until = goes_on


def _to_delimiter(data: bytes | bytearray) -> int:
    """Return how many bytes end with the first zero that could end a frame."""
    return data.find(0, 1) + 1 or len(data)


def _work_s(seen: ParsedRequest) -> float:
    return IDENTIFY_S if seen.kind == IDENTIFY else REQUEST_S + PAYLOAD_BYTE_S * len(seen.payload)


POLL_S = 0.001  # a host asks a USB device once a millisecond
TICK_S = 1e-9  # the least that a vain read takes, so that time goes on however it rounds
DEMO_LINES = tuple(b"x:%d.%03d,y:0.707\r\n" % divmod(31 * at, 1000) for at in range(4))
IDENTIFY_BYTES = 13  # on the wire
MAX_READS = 3_000_000


class HangError(BaseException):
    """The host reads on and on; no code under test is to catch this."""


class SimulatedLine:
    """A Transport. ``firmwares`` are what a board may be exchanged for, plugged in is the first.

    ``earlier`` are requests and replies of an earlier session.
    """

    name = "simulated"

    def __init__(
        self,
        firmwares: Sequence[KnownFirmware],
        schedule: Schedule,
        earlier: tuple[Sequence[bytes], Sequence[bytes]] = ((), ()),
    ) -> None:
        self.endpoint = SimulatedEndpoint(firmwares[0], self._send_reply)
        self.faulted: set[int] = set()  # numbers of requests, as the host sent them
        self.requests = 0
        self.sessions: set[int] = set()  # that the host asked for
        self._firmwares = firmwares
        self._up = FaultyDirection(schedule, Direction.TO_BOARD, earlier[0])
        self._down = FaultyDirection(schedule, Direction.TO_HOST, earlier[1])
        self._now = self._up_free = self._down_free = 0.0
        self._gone_at = math.inf
        self._arriving: deque[tuple[float, bytes]] = deque()  # when the first byte begins
        self._sent: dict[bytes, int] = {}  # the last number of each request
        self._reads = 0

    def now(self) -> float:
        """See Transport."""
        return self._now

    def write(self, data: bytes) -> None:
        """See Transport."""
        self._refuse_if_gone()
        number, self.requests = self.requests, self.requests + 1
        self._sent[data] = number
        if len(data) <= IDENTIFY_BYTES:
            self.sessions |= {seen.session for seen in RequestParser().feed(data) if seen.kind == IDENTIFY}
        steps, touched = self._up.carry(data)
        if touched:
            self.faulted.add(number)
        self._up_free = max(self._up_free, self._now)
        for step in steps:
            self._up_free += step.wait_s
            if step.data:
                self.endpoint.arrive(self._up_free + BYTE_S, step.data)
                self._up_free += len(step.data) * BYTE_S
            if step.event is not None:
                self.endpoint.catch_up(self._up_free)
                self._happen(step.event, self._up_free)

    def read(self, timeout_s: float) -> bytes:
        """See Transport."""
        self._reads += 1
        if self._reads > MAX_READS:
            raise HangError(f"{MAX_READS} reads, {self._now:.1f} s simulated")
        self._refuse_if_gone()
        deadline = self._now + max(timeout_s, TICK_S)
        while self.endpoint.works_at <= min(deadline, self._visible_at()):
            self.endpoint.catch_up(self.endpoint.works_at)
        visible = self._visible_at()
        if min(visible, deadline) >= self._gone_at:
            self._now = self._gone_at
            self._refuse_if_gone()
        if visible > deadline:
            self._now = deadline
            return b""
        self._now = max(self._now, visible)
        return self._arrived()

    def reopen(self) -> None:
        """See Transport."""
        if self._gone_at <= self._now:
            raise LinkError("there is no port simulated")
        self.endpoint.catch_up(self._now)
        self._end_life(self._now, self.endpoint.firmware)

    def close(self) -> None:
        """See Transport."""

    def _send_reply(self, ready: float, reply: bytes, seen: ParsedRequest) -> float:
        steps, touched = self._down.carry(reply)
        if touched:
            number = self._sent.get(request(seen.kind, seen.seq, seen.session, seen.payload))
            if number is not None:
                self.faulted.add(number)
        start = max(self._down_free, ready)
        for step in steps:
            self._transmit(start, step)
            if step.event is not None:
                self._happen(step.event, self._down_free)
                break
        goes_on: float = max(ready, start + (len(reply) - RING_BYTES) * BYTE_S)
        return goes_on

    def _transmit(self, not_before: float, step: LineStep) -> None:
        start = max(self._down_free, not_before) + step.wait_s
        if step.data:
            self._arriving.append((start, step.data))
        self._down_free = start + len(step.data) * BYTE_S

    def _happen(self, fault: Fault, at: float) -> None:
        rng = SeededRandom(fault.word, 1)
        if fault.kind is FaultKind.DISCONNECTED:
            self._gone_at = min(self._gone_at, at)
        elif fault.kind is FaultKind.RESET:
            self._end_life(at, self.endpoint.firmware)
        else:
            self._end_life(at, self._firmwares[rng.below(len(self._firmwares))])

    def _end_life(self, at: float, firmware: KnownFirmware) -> None:
        """Cut off what the board was sending; after a bootloader's second it says what the demo says."""
        kept = [(start, data[: max(0, math.floor((at - start) / BYTE_S))]) for start, data in self._arriving]
        self._arriving = deque(item for item in kept if item[1])
        self._down_free = at
        self.endpoint.plug_in(firmware, at)
        for number, line in enumerate(DEMO_LINES):
            self._transmit(at + BOOT_S + 0.02 * number, LineStep(line))

    def _visible_at(self) -> float:
        """When the host can read the next byte."""
        if not self._arriving:
            return math.inf
        return max(self._now, math.ceil((self._arriving[0][0] + BYTE_S) / POLL_S) * POLL_S)

    def _arrived(self) -> bytes:
        found = b""
        while self._arriving:
            start, data = self._arriving[0]
            count = math.floor((self._now - start) / BYTE_S + 1e-6)
            if count < len(data):
                if count > 0:
                    found += data[:count]
                    self._arriving[0] = (start + count * BYTE_S, data[count:])
                break
            found += data
            self._arriving.popleft()
        return found

    def _refuse_if_gone(self) -> None:
        if self._now >= self._gone_at:
            raise LinkError("simulated went away in the middle of the work", "plug the board in again")
