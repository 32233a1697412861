"""Count the outcomes of many cases by kind of fault; blocks of cases may be counted in any process."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from sinehil.base.console import Stage
from sinehil.base.worker import Channel
from sinehil.base.workers import Silence, Workers
from sinehil.errors import IdentityError, LinkError
from sinehil.model.tflite import QuantizedModel, parse_quantized_model
from sinehil.verify import Verdict
from sinehil.verify.result import VerifyResult
from sinehil_audit.link.case import ObservedRun, run_case
from sinehil_audit.link.fault_schedule import ROWS
from sinehil_audit.link.fixtures import LinkBench, make_link_bench
from sinehil_audit.link.verdict_check import SLACK_S, violations, wrong_values

BLOCK = len(ROWS) * 10  # cases


@dataclass
class FaultCounts:
    """What came of the cases of one kind of fault. ``worst_s`` is the longest case in simulated time."""

    verifies: int = 0
    requests: int = 0
    faulted: int = 0
    retries: int = 0
    passes: int = 0
    fails: int = 0
    links: int = 0
    identities: int = 0
    wrong_accepts: int = 0
    violations: int = 0
    worst_s: float = 0.0

    @classmethod
    def of(cls, seen: ObservedRun, wrong: int, violated: bool) -> Self:
        """Return the row of one case."""
        outcome = seen.outcome
        verdict = outcome.verdict if isinstance(outcome, VerifyResult) else None
        return cls(
            verifies=1,
            requests=seen.requests,
            faulted=seen.faulted,
            retries=seen.retries,
            passes=int(verdict is Verdict.PASS),
            fails=int(verdict is Verdict.FAIL),
            links=int(isinstance(outcome, LinkError)),
            identities=int(isinstance(outcome, IdentityError)),
            wrong_accepts=wrong,
            violations=int(violated),
            worst_s=seen.elapsed_s,
        )

    @property
    def sentence(self) -> str:
        """How much it is."""
        return f"{self.faulted:,} faulted of {self.requests:,} requests in {self.verifies:,} verifications"

    def __add__(self, other: "FaultCounts") -> "FaultCounts":
        sums = {
            item.name: getattr(self, item.name) + getattr(other, item.name)
            for item in fields(self)
            if item.name != "worst_s"
        }
        return FaultCounts(**sums, worst_s=max(self.worst_s, other.worst_s))


@dataclass
class Tally:
    """Rows by their names. ``found`` are violations, with the case that has them."""

    rows: dict[str, FaultCounts] = field(default_factory=lambda: {name: FaultCounts() for name in ROWS})
    found: list[str] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        """Add what another one has."""
        self.rows = {name: row + other.rows[name] for name, row in self.rows.items()}
        self.found += other.found

    def add_run(self, bench: LinkBench, seen: ObservedRun, name: str, slack_s: float = SLACK_S) -> None:
        """Check the run of a case and add it, called ``name`` where it must not be as it is."""
        bad = violations(bench, seen, slack_s)
        row = FaultCounts.of(seen, wrong_values(seen), bool(bad))
        self.rows[seen.schedule.row] = self.rows[seen.schedule.row] + row
        self.found += [f"{name} ({seen.schedule.row}): {text}" for text in bad]

    @property
    def total(self) -> FaultCounts:
        """All rows together."""
        return sum(self.rows.values(), FaultCounts())

    def document(self) -> dict[str, Any]:
        """Return the plain data for JSON."""
        rows = {name: asdict(row) for name, row in self.rows.items()}
        return {"rows": rows, "total": asdict(self.total), "violations": self.found}


@dataclass(frozen=True)
class LinkAudit:
    """What a whole audit found: over simulated lines, and over lines in front of boards if there were any."""

    seed: int
    simulated: Tally
    on_boards: Tally | None = None
    elapsed_s: float = 0.0

    @property
    def found(self) -> list[str]:
        """All violations."""
        return self.simulated.found + (self.on_boards.found if self.on_boards else [])

    def document(self) -> dict[str, Any]:
        """Return the plain data for JSON."""
        boards = self.on_boards.document() if self.on_boards else None
        return {
            "seed": self.seed,
            "elapsed_s": self.elapsed_s,
            **self.simulated.document(),
            "on_boards": boards,
        }


def blocks(bench: LinkBench, seed: int, first: int, step: int) -> Iterator[Tally]:
    """Yield the tallies of blocks ``first``, ``first + step`` and so on, without end."""
    block = first
    while True:
        tally = Tally()
        for case in range(block * BLOCK, (block + 1) * BLOCK):
            tally.add_run(bench, run_case(bench, seed, case), f"{seed}:{case}")
        yield tally
        block += step


def count_cases(
    model: QuantizedModel, oracle: str, seed: int, transactions: int, processes: int, stage: Stage
) -> Tally:
    """Add up blocks in their order until there are enough; how many processes count them makes no difference."""
    total, early = Tally(), dict[int, Tally]()
    with Workers(Silence()) as workers:
        tasks = [
            workers.start(count_blocks, model.data, oracle, seed, first, processes)
            for first in range(processes)
        ]
        following = {task: first for first, task in enumerate(tasks)}
        wanted = 0
        for task, part in workers.parts(*tasks):
            early[following[task]] = part
            following[task] += processes
            while wanted in early:
                total.add(early.pop(wanted))
                wanted += 1
                if total.total.faulted >= transactions:
                    return total
            done = total.total.faulted
            stage.update(f"{done:,} of {transactions:,} faulted", done / transactions)
    raise AssertionError("blocks have no end")


def count_blocks(channel: Channel, data: bytes, oracle: str, seed: int, first: int, step: int) -> None:
    """Hand over the tallies of every ``step``-th block, until ended; in a worker."""
    for tally in blocks(make_link_bench(parse_quantized_model(data, "model"), oracle), seed, first, step):
        channel.hand_over(tally)
