"""Verify one board over one bad line, drawn from a seed and a number, and record all that happened."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sinehil.board.device import Device
from sinehil.board.exchange import Exchange, Progress
from sinehil.board.link import Choose
from sinehil.board.protocol import MessageType
from sinehil.board.trace import TraceSink
from sinehil.board.transport import Transport
from sinehil.errors import IdentityError, LinkError
from sinehil.verify.comparison import verify
from sinehil.verify.result import VerifyResult
from sinehil_audit.link.fault_schedule import Schedule, SeededRandom, schedule_of
from sinehil_audit.link.fixtures import LinkBench, LinkPlan
from sinehil_audit.link.simulated_line import AnsweredRequest, HangError, SimulatedLine


@dataclass(frozen=True)
class Accepted:
    """A reply that the code under test took for the answer to a request."""

    kind: int
    payload: bytes
    reply: bytes


@dataclass(frozen=True)
class ObservedRun:
    """What happened in a case. ``outcome`` is what verify returned or raised."""

    plan: LinkPlan
    schedule: Schedule
    outcome: VerifyResult | BaseException
    accepted: tuple[Accepted, ...]
    request_log: tuple[AnsweredRequest, ...]
    sessions: frozenset[int]
    surprises: tuple[str, ...]
    elapsed_s: float
    requests: int
    faulted: int
    retries: int


class WatchedDevice(Device):
    """Keeps every reply that counts, in runs that end in an error too."""

    def __init__(self, transport: Transport, choose: Choose, trace: TraceSink | None) -> None:
        super().__init__(transport, choose, trace)
        self.accepted: list[Accepted] = []

    def _ask(self, kind: MessageType, payloads: list[bytes], progress: Progress | None = None) -> list[bytes]:
        exchange = Exchange(self._link, kind, payloads, progress)
        try:
            return exchange.run()
        finally:
            self.accepted += [Accepted(kind, payloads[at], reply) for at, reply in exchange.replies.items()]


class ObservedLine(Transport, Protocol):
    """A transport over a bad line, and what it knows of its way: which requests met a fault, of which sessions."""

    faulted: set[int]
    sessions: set[int]

    @property
    def requests(self) -> int:
        """How many the host has sent."""


@dataclass(frozen=True)
class Case:
    """What a seed and a number decide: what is verified, on the board with which firmware, over what line."""

    plan: LinkPlan
    first: int
    schedule: Schedule
    sessions_seed: int


def draw_case(bench: LinkBench, seed: int, number: int) -> Case:
    """Return the case of this number; three in five have the right board first, the others share the rest."""
    rng = SeededRandom(seed, number, 1)
    plan = bench.plans[_weighted((1, 6, 1), rng)]
    others = len(bench.firmwares) - 1
    first = _weighted((60, *[40 // max(others, 1)] * others), rng)
    return Case(plan, first, schedule_of(seed, number, plan.pieces), rng.word())


def run_case(bench: LinkBench, seed: int, number: int, trace: TraceSink | None = None) -> ObservedRun:
    """Verify one board over the simulated line of this case."""
    case = draw_case(bench, seed, number)
    return run_schedule(bench, case.plan, case.first, case.schedule, case.sessions_seed, trace)


def run_schedule(
    bench: LinkBench,
    plan: LinkPlan,
    first: int,
    schedule: Schedule,
    sessions_seed: int,
    trace: TraceSink | None = None,
) -> ObservedRun:
    """Verify the board with the firmware of number ``first`` over a simulated line with these faults."""
    firmwares = (*bench.firmwares[first:], *bench.firmwares[:first])
    line = SimulatedLine(firmwares, schedule, bench.earlier)
    endpoint = line.endpoint
    return watch(
        bench,
        Case(plan, first, schedule, sessions_seed),
        line,
        endpoint.request_log,
        endpoint.surprises,
        trace,
    )


def watch(
    bench: LinkBench,
    case: Case,
    line: ObservedLine,
    request_log: Sequence[AnsweredRequest],
    surprises: Sequence[str] = (),
    trace: TraceSink | None = None,
) -> ObservedRun:
    """Verify over a line; ``request_log`` and ``surprises`` are filled by who stands at its end meanwhile."""
    rng, started_s = SeededRandom(case.sessions_seed), line.now()
    device = WatchedDevice(line, lambda options: options[rng.below(len(options))], trace)
    outcome = _outcome(device, bench, case.plan)
    return ObservedRun(
        case.plan,
        case.schedule,
        outcome,
        tuple(device.accepted),
        tuple(request_log),
        frozenset(line.sessions),
        tuple(surprises),
        line.now() - started_s,
        line.requests,
        len(line.faulted),
        device.counters.retries,
    )


def _outcome(device: Device, bench: LinkBench, plan: LinkPlan) -> VerifyResult | BaseException:
    on_sample = (lambda _sample: None) if plan.streamed else None
    try:
        return verify(device, bench.expected, bench.oracle, plan.inputs, on_sample)
    except (LinkError, IdentityError) as error:
        return error
    except (Exception, HangError) as error:  # whatever else comes is for the verdict check
        return error


def _weighted(weights: tuple[int, ...], rng: SeededRandom) -> int:
    place = rng.below(sum(weights))
    return next(at for at in range(len(weights)) if place < sum(weights[: at + 1]))
