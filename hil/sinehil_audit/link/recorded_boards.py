"""Run the cases on boards behind ports, and record at each board what it was asked and what it answered."""

import contextlib
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sinehil.arduino import compile_sketch, prepare_environment, stage_sketch, upload
from sinehil.base.console import Console
from sinehil.board.trace import TraceSink
from sinehil.board.transport import SerialTransport, Transport
from sinehil.virtual import VirtualUno
from sinehil_audit.link.case import ObservedRun, draw_case, run_case, watch
from sinehil_audit.link.faulty_transport import FaultyTransport
from sinehil_audit.link.fixtures import LinkBench
from sinehil_audit.link.known_answers import KnownFirmware
from sinehil_audit.link.link_audit import Tally
from sinehil_audit.link.reference_parser import (
    CRC,
    ERROR,
    IDENTIFY,
    REPLY,
    FrameSplitter,
    ParsedRequest,
    RequestParser,
    body_of,
)
from sinehil_audit.link.simulated_line import AnsweredRequest
from sinehil_audit.link.verdict_check import violations

REMEMBERED = 64  # requests that may still be answered: more than fit on a line and into a board
SLACK_S = 5.0  # a process stands still now and then, a machine's clock does not
MOST_BOARDS = 3  # one for each firmware of ``bench_of_boards``


class RequestLog:
    """What boards were asked over one line; one of them at a time is plugged in. ``epoch`` counts their lives."""

    def __init__(self) -> None:
        self.asked: list[AnsweredRequest] = []
        self.epoch = 0


class RequestRecorder:
    """See sinehil.board.transport.Transport: passes everything to a board with a known firmware, and keeps the log."""

    def __init__(self, board: Transport, firmware: KnownFirmware, request_log: RequestLog) -> None:
        self.name = board.name
        self._board, self._firmware, self._log = board, firmware, request_log
        self._parser, self._replies = RequestParser(), FrameSplitter()
        self._open: deque[tuple[int, ParsedRequest]] = deque(maxlen=REMEMBERED)

    def now(self) -> float:
        """See Transport."""
        return self._board.now()

    def write(self, data: bytes) -> None:
        """See Transport."""
        self._open += [(self._log.epoch, seen) for seen in self._parser.feed(data)]
        self._board.write(data)

    def read(self, timeout_s: float) -> bytes:
        """See Transport."""
        data = self._board.read(timeout_s)
        for piece in self._replies.feed(data):
            self._note(piece)
        return data

    def reopen(self) -> None:
        """See Transport."""
        self._board.reopen()
        self._parser.reset()
        self._log.epoch += 1

    def close(self) -> None:
        """See Transport."""
        self._board.close()

    def _note(self, piece: bytes) -> None:
        """Write down a reply with its request, if it is the reply to one."""
        body = body_of(piece.strip(b"\0"))
        found = next((item for item in self._open if body is not None and _answers(body, item[1])), None)
        if found is not None:
            self._open.remove(found)
            self._log.asked.append(
                AnsweredRequest(found[0], self._firmware, found[1], b"\0" + piece.lstrip(b"\0"))
            )


def _answers(body: bytes, request: ParsedRequest) -> bool:
    """Return whether a frame is the reply to a request: by type, sequence number, and the checksum that binds them."""
    kind, seq = body[:2]
    if seq != request.seq or kind not in (request.kind | REPLY, ERROR):
        return False
    alone = request.kind == IDENTIFY or kind == ERROR
    crc: int = CRC.unpack_from(body, len(body) - CRC.size)[0]
    return zlib.crc32(body[: -CRC.size], 0 if alone else request.crc) == crc


def bench_of_boards(bench: LinkBench, boards: int) -> LinkBench:
    """Return a bench with the firmwares that so many boards get: right, wrong for one code, another model."""
    first, wrong, *_, other = bench.firmwares
    return replace(bench, firmwares=(first, wrong, other)[:boards])


def run_on_boards(
    bench: LinkBench, boards: Sequence[Transport], seed: int, number: int, trace: TraceSink | None = None
) -> ObservedRun:
    """Verify one of the boards, each of which has the firmware in the same place of ``bench``, over a bad line."""
    case, request_log = draw_case(bench, seed, number), RequestLog()
    recorders = [
        RequestRecorder(board, firmware, request_log)
        for board, firmware in zip(boards, bench.firmwares, strict=True)
    ]
    plugged = [*recorders[case.first :], *recorders[: case.first]]
    plugged[0].reopen()  # as every program's open does
    return watch(
        bench, case, FaultyTransport(plugged, case.schedule, bench.earlier), request_log.asked, trace=trace
    )


def tallies(bench: LinkBench, boards: Sequence[Transport], seed: int) -> Iterator[Tally]:
    """Yield what came of one case after the other, without end."""
    number = 0
    while True:
        tally = Tally()
        tally.add_run(
            bench, run_on_boards(bench, boards, seed, number), f"{seed}:{number} on a board", SLACK_S
        )
        yield tally
        number += 1


@dataclass(frozen=True)
class FlashedBoards:
    """Open ports of boards that have the firmwares of a bench, in its order."""

    bench: LinkBench
    ports: Sequence[SerialTransport]


@contextlib.contextmanager
def flashed_boards(
    console: Console, bench: LinkBench, ports: Sequence[str], fqbn: str, build: Path
) -> Iterator[FlashedBoards]:
    """Flash the boards on ``ports``, virtual Unos if there are none, and yield them."""
    bench = bench_of_boards(bench, len(ports) or MOST_BOARDS)
    with contextlib.ExitStack() as stack:
        names = [*ports] or [stack.enter_context(VirtualUno.start()).port for _ in bench.firmwares]
        opened = [
            stack.enter_context(_flashed(console, bench, number, name, fqbn, build))
            for number, name in enumerate(names)
        ]
        yield FlashedBoards(bench, opened)


def audit_on_boards(console: Console, boards: FlashedBoards, seed: int, transactions: int) -> Tally:
    """Verify over lines that fail in front of boards until so many requests have met a fault."""
    total = Tally()
    with console.stage("boards", with_eta=True) as stage:
        for part in tallies(boards.bench, boards.ports, seed):
            total.add(part)
            done = total.total.faulted
            if done >= transactions:
                break
            stage.update(f"{done:,} of {transactions:,} faulted", done / transactions)
        stage.note = total.total.sentence
    return total


def _flashed(
    console: Console, bench: LinkBench, number: int, name: str, fqbn: str, build: Path
) -> SerialTransport:
    """Return the open port of the board, with the firmware of that number on it."""
    firmware, folder = bench.firmwares[number], build / f"audit-link-{number}"
    with console.stage("flash") as stage:
        environment = prepare_environment(lambda text: stage.update(text, None))
        image = compile_sketch(environment, stage_sketch(firmware.kernel, folder), fqbn, folder / "out")
        port = upload(environment, image, name)
        stage.note = f"{firmware.name} on {port}"
    return SerialTransport(port)


def replayed(bench: LinkBench, case: tuple[int, int], trace: TraceSink | None) -> dict[str, Any]:
    """Run one case over a simulated line; return its faults, what came of it, and what is wrong with that."""
    seen = run_case(bench, *case, trace)
    return dict(_told(seen, violations(bench, seen)))


def replayed_on_boards(
    boards: FlashedBoards, case: tuple[int, int], trace: TraceSink | None
) -> dict[str, Any]:
    """Do the same on boards."""
    seen = run_on_boards(boards.bench, boards.ports, *case, trace)
    return dict(_told(seen, violations(boards.bench, seen, SLACK_S)))


def _told(seen: ObservedRun, found: list[str]) -> Iterator[tuple[str, Any]]:
    outcome = seen.outcome
    yield "plan", seen.plan.name
    yield "row", seen.schedule.row
    yield "faults", [f"{fault.direction} {fault.piece}: {fault.kind}" for fault in seen.schedule.faults]
    yield "outcome", repr(outcome) if isinstance(outcome, BaseException) else str(outcome.verdict)
    yield "requests", seen.requests
    yield "faulted", seen.faulted
    yield "retries", seen.retries
    yield "elapsed_s", seen.elapsed_s
    yield "violations", found
