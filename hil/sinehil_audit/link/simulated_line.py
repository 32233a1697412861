"""A line between a host and boards in simulated time, 115200 baud: a Transport whose waits cost nothing."""

import math
from collections import deque
from collections.abc import Sequence

from sinehil.errors import LinkError
from sinehil_audit.link.fault_kinds import Kind
from sinehil_audit.link.known_answers import Firmware
from sinehil_audit.link.one_direction import Step, Wire
from sinehil_audit.link.reference_parser import IDENTIFY, Eye, Seen, request
from sinehil_audit.link.schedule import Fault, Schedule, Way
from sinehil_audit.link.seeded_random import Dice
from sinehil_audit.link.simulated_endpoint import BOOT_S, BYTE_S, RING_BYTES, Station

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
        firmwares: Sequence[Firmware],
        schedule: Schedule,
        earlier: tuple[Sequence[bytes], Sequence[bytes]] = ((), ()),
    ) -> None:
        self.station = Station(firmwares[0], self._send_reply)
        self.faulted: set[int] = set()  # numbers of requests, as the host sent them
        self.requests = 0
        self.sessions: set[int] = set()  # that the host asked for
        self._firmwares = firmwares
        self._up = Wire(schedule, Way.TO_BOARD, earlier[0])
        self._down = Wire(schedule, Way.TO_HOST, earlier[1])
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
            self.sessions |= {seen.session for seen in Eye().feed(data) if seen.kind == IDENTIFY}
        steps, touched = self._up.carry(data)
        if touched:
            self.faulted.add(number)
        self._up_free = max(self._up_free, self._now)
        for step in steps:
            self._up_free += step.wait_s
            if step.data:
                self.station.arrive(self._up_free + BYTE_S, step.data)
                self._up_free += len(step.data) * BYTE_S
            if step.event is not None:
                self.station.catch_up(self._up_free)
                self._happen(step.event, self._up_free)

    def read(self, timeout_s: float) -> bytes:
        """See Transport."""
        self._reads += 1
        if self._reads > MAX_READS:
            raise HangError(f"{MAX_READS} reads, {self._now:.1f} s simulated")
        self._refuse_if_gone()
        deadline = self._now + max(timeout_s, TICK_S)
        while self.station.works_at <= min(deadline, self._visible_at()):
            self.station.catch_up(self.station.works_at)
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
        self.station.catch_up(self._now)
        self._end_life(self._now, self.station.firmware)

    def close(self) -> None:
        """See Transport."""

    def _send_reply(self, ready: float, reply: bytes, seen: Seen) -> float:
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

    def _transmit(self, not_before: float, step: Step) -> None:
        start = max(self._down_free, not_before) + step.wait_s
        if step.data:
            self._arriving.append((start, step.data))
        self._down_free = start + len(step.data) * BYTE_S

    def _happen(self, fault: Fault, at: float) -> None:
        dice = Dice(fault.word, 1)
        if fault.kind is Kind.DISCONNECTED:
            self._gone_at = min(self._gone_at, at)
        elif fault.kind is Kind.RESET:
            self._end_life(at, self.station.firmware)
        else:
            self._end_life(at, self._firmwares[dice.below(len(self._firmwares))])

    def _end_life(self, at: float, firmware: Firmware) -> None:
        """Cut off what the board was sending; after a bootloader's second it says what the demo says."""
        kept = [(start, data[: max(0, math.floor((at - start) / BYTE_S))]) for start, data in self._arriving]
        self._arriving = deque(item for item in kept if item[1])
        self._down_free = at
        self.station.plug_in(firmware, at)
        for number, line in enumerate(DEMO_LINES):
            self._transmit(at + BOOT_S + 0.02 * number, Step(line))

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
