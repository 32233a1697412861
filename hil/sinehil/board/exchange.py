"""Send many requests with a few in flight, repeat lost ones, and end in bounded time."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sinehil.board.link import ATTEMPTS, Link
from sinehil.board.protocol import REPLY, Frame, MessageType, encoded_size, type_name
from sinehil.board.trace import TraceKind
from sinehil.errors import LinkError

# An exchange of n requests ends PATIENCE_S + n * PACE_S after its start, or one silence later, whatever the line does.
PATIENCE_S, PACE_S = 10.0, 0.5

Progress = Callable[[int], None]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Pending:
    """A request in flight: which payload it carries, how much of the board's ring it may fill, since when."""

    index: int
    request: Frame
    wire_bytes: int
    sent_at_s: float


class Exchange:
    """Payloads of one kind on their way. ``progress`` is called with the index of each that is answered."""

    def __init__(
        self, link: Link, kind: MessageType, payloads: Sequence[bytes], progress: Progress | None = None
    ) -> None:
        self._link, self._kind, self._payloads, self._progress = link, kind, payloads, progress
        self._waiting = list(range(len(payloads)))[::-1]  # indices, the next one last
        self._in_flight: dict[int, _Pending] = {}  # by sequence number, in the order in which they were sent
        self._lost: set[int] = set()  # indices of those that have to be sent again
        self.replies: dict[int, bytes] = {}  # so far, by index

    def run(self) -> list[bytes]:
        """Send every payload and return the replies in the same order.

        Raises LinkError when the board falls silent, was reset or takes too long, IdentityError when it refuses one.
        """
        deadline = self._link.within(PATIENCE_S + PACE_S * len(self._payloads))
        silences = 0
        while self._waiting or self._in_flight:
            if deadline.expired:
                raise self._too_slow()
            self._fill_window()
            reply = self._next_reply()
            if reply is not None:
                silences = 0
                self._accept(reply)
            else:
                silences += 1
                for late in self._link.ping(ATTEMPTS - silences, self._is_wanted):
                    self._accept(late)
                timeout_s = self._link.round_trip.timeout_s
                self._lose(list(self._in_flight), f"no reply in {timeout_s:.3g} s")
        done, timeout_s = len(self._payloads), self._link.round_trip.timeout_s
        log.debug(
            "%s: %d times %s; overdue from now on: %.3g s", self._link.port, done, self._kind.name, timeout_s
        )
        return [self.replies[index] for index in range(done)]

    def _fill_window(self) -> None:
        """Send what waits until the board's receive ring could be full.

        One request alone may be longer than the ring: a board that has nothing else to do empties it as it fills.
        """
        used = sum(pending.wire_bytes for pending in self._in_flight.values())
        while self._waiting:
            request = self._link.request(self._kind, self._payloads[self._waiting[-1]])
            size = encoded_size(request)
            if self._in_flight and used + size > self._link.window_bytes:
                return
            index = self._waiting.pop()
            self._link.send(request, "again" if index in self._lost else "")
            self._in_flight[request.seq] = _Pending(index, request, size, self._link.now())
            used += size

    def _next_reply(self) -> Frame | None:
        """Return the next reply to a request in flight, or None when it takes too long."""
        frames = self._link.replies_until(self._link.within(self._link.round_trip.timeout_s))
        for frame in frames:
            if self._is_wanted(frame):
                return frame
            self._link.drop(frame)
        return None

    def _is_wanted(self, frame: Frame) -> bool:
        """Return whether it is a reply to a request in flight; IdentityError if it refuses one."""
        if frame.seq not in self._in_flight:
            return False
        if frame.type == MessageType.ERROR:
            raise self._link.refused(frame)
        return frame.type == self._kind | REPLY

    def _accept(self, reply: Frame) -> None:
        """Keep the reply; a line keeps the order, so what was sent before its request and is unanswered is lost."""
        sent = list(self._in_flight)
        if reply.seq not in sent:
            self._link.drop(reply)  # the same reply twice
            return
        answered = self._in_flight.pop(reply.seq)
        self._link.round_trip.add(self._link.now() - answered.sent_at_s)
        self.replies[answered.index] = reply.payload
        self._lose(sent[: sent.index(reply.seq)], "a later request was answered")
        if self._progress is not None:
            self._progress(answered.index)

    def _lose(self, seqs: Sequence[int], why: str) -> None:
        """Let the requests wait to be sent again, before all others."""
        self._link.counters.retries += len(seqs)
        for seq in reversed(seqs):
            lost = self._in_flight.pop(seq)
            self._waiting.append(lost.index)
            self._lost.add(lost.index)
            self._link.note(TraceKind.LOST, lost.request, why)
            log.info("%s: %s sent again: %s", self._link.port, type_name(self._kind), why)

    def _too_slow(self) -> LinkError:
        requests = len(self._payloads)
        return LinkError(
            f"the line to {self._link.port} is too bad: after {PATIENCE_S + PACE_S * requests:g} s only "
            f"{len(self.replies)} of {requests} requests have been answered",
            "take a shorter cable or another port, keep it away from motors and radios, and run the command again",
        )
