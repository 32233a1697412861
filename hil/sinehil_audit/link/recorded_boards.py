"""Run the cases on boards behind ports, and record at each board what it was asked and what it answered."""

import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace

from sinehil.board.trace import TraceSink
from sinehil.board.transport import Transport
from sinehil_audit.link.case import ObservedRun, draw_case, watch
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

REMEMBERED = 64  # requests that may still be answered: more than fit on a line and into a board


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


SLACK_S = 5.0  # a process stands still now and then, a machine's clock does not


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
