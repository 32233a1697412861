"""The same cases on boards behind ports, virtual or real: their lines are spoiled by the same schedules."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from sinehil.board.trace import Trace
from sinehil.board.transport import Transport
from sinehil_audit.link.case import Seen, draw_case, watch
from sinehil_audit.link.faulty_transport import FaultyTransport
from sinehil_audit.link.fixtures import Bench
from sinehil_audit.link.recorder import Book, Tap
from sinehil_audit.link.tally import Tally

SLACK_S = 5.0  # a process stands still now and then, a machine's clock does not


def bench_of_boards(bench: Bench, boards: int) -> Bench:
    """Return a bench with the firmwares that so many boards get: right, wrong for one code, another model."""
    first, wrong, *_, other = bench.firmwares
    return replace(bench, firmwares=(first, wrong, other)[:boards])


def run_on_boards(
    bench: Bench, boards: Sequence[Transport], seed: int, number: int, trace: Trace | None = None
) -> Seen:
    """Verify one of the boards, each of which has the firmware in the same place of ``bench``, over a bad line."""
    case, book = draw_case(bench, seed, number), Book()
    taps = [Tap(board, firmware, book) for board, firmware in zip(boards, bench.firmwares, strict=True)]
    plugged = [*taps[case.first :], *taps[: case.first]]
    plugged[0].reopen()  # as every program's open does
    return watch(bench, case, FaultyTransport(plugged, case.schedule, bench.earlier), book.asked, trace=trace)


def tallies(bench: Bench, boards: Sequence[Transport], seed: int) -> Iterator[Tally]:
    """Yield what came of one case after the other, without end."""
    number = 0
    while True:
        tally = Tally()
        tally.judge(bench, run_on_boards(bench, boards, seed, number), f"{seed}:{number} on a board", SLACK_S)
        yield tally
        number += 1
