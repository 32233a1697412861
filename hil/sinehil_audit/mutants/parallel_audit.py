"""Share the mutants of a kernel among worker processes, and count which checks notice them."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from sinehil.base.worker import Channel
from sinehil.base.workers import Silence, Workers
from sinehil.jobs import verification as steps
from sinehil.jobs.selection import Selection
from sinehil.verify import Mode
from sinehil_audit.mutants.kernel_audit import KernelAudit, Subject, outcomes
from sinehil_audit.mutants.mutant import FLIPS, MutantKind, MutantOutcome
from sinehil_kernels import generate_kernel

PART = 20  # outcomes handed over at once
Numbered = tuple[int, MutantKind, MutantOutcome]
CHECKS = ("identity", "exhaustive", "test_set", "codes", "twenty", "four")


@dataclass(frozen=True)
class Counts:
    """Of the mutants of one kind: how many, and how many each check noticed.

    All but ``mutants``, ``breaks_out``, ``visible`` and ``identity`` are counted among the visible ones;
    ``false_alarms`` are invisible ones that the exhaustive comparison called wrong.
    """

    mutants: int
    breaks_out: int
    visible: int
    identity: int
    exhaustive: int
    test_set: int
    codes: int
    twenty: int
    four: int
    false_alarms: int

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(*(getattr(self, item.name) + getattr(other, item.name) for item in fields(Counts)))


@dataclass(frozen=True)
class AuditedKernel:
    """What an audit of one kernel found; ``outcomes`` in the order of the mutants' numbers.

    ``mutants`` is how many there are, audited or not. ``against`` says of the three checks of others what they hold y
    against. ``survivors``: mutants that survived what they must not, by number and name, and what that was.
    """

    engine: str
    oracle: str
    model_sha256: str
    mutants: int
    against: dict[str, str]
    outcomes: list[Numbered]
    survivors: list[str]

    @property
    def by_kind(self) -> dict[MutantKind, Counts]:
        """The counts of every kind that occurs."""
        return {
            kind: count([outcome for _, of, outcome in self.outcomes if of is kind])
            for kind in MutantKind
            if any(of is kind for _, of, _ in self.outcomes)
        }

    @property
    def total(self) -> Counts:
        """The counts of all kinds together."""
        return count([outcome for *_, outcome in self.outcomes])


def count(found: Sequence[MutantOutcome]) -> Counts:
    """Return the counts of some outcomes."""
    sums = Counter[str]()
    for outcome in found:
        sums["mutants"] += 1
        sums["breaks_out"] += outcome.breaks_out
        sums["identity"] += outcome.identity
        sums["false_alarms"] += outcome.exhaustive and not outcome.visible
        if outcome.visible:
            sums.update({name: 1 for name in ("visible", *CHECKS[1:]) if getattr(outcome, name)})
    return Counts(*(sums[item.name] for item in fields(Counts)))


def document(audited: AuditedKernel, on_board: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the figures of one kernel as the command's ``--json`` and the docs have them."""
    return {
        "engine": audited.engine,
        "mutants": audited.mutants,
        "audited": len(audited.outcomes),
        "against": audited.against,
        "kinds": {str(kind): asdict(counts) for kind, counts in audited.by_kind.items()},
        "all": asdict(audited.total),
        "survivors": audited.survivors,
        "on_board": on_board,
    }


def outcomes_text(audited: AuditedKernel) -> str:
    """Return all outcomes in the order of the mutants, two hexadecimal digits each."""
    return "".join(f"{outcome.as_number():02x}" for *_, outcome in audited.outcomes)


def audit_alone(subject: Subject, sample: int | None) -> AuditedKernel:
    """KernelAudit in this process."""
    audit = KernelAudit(subject)
    numbers = audit.chosen(sample)
    found = [(number, audit.mutants[number].kind, outcome) for number, outcome in outcomes(audit, numbers)]
    return _audited(audit, found)


def audit_shared(
    subject: Subject, sample: int | None, jobs: int, progress: Callable[[int, int], None]
) -> AuditedKernel:
    """KernelAudit in ``jobs`` processes; ``progress`` is called with how many mutants are done, and of how many."""
    audit = KernelAudit(subject)
    total, found = len(audit.chosen(sample)), list[Numbered]()
    with Workers(Silence()) as workers:
        tasks = [workers.start(work_on_share, subject, sample, share, jobs) for share in range(jobs)]
        for _, part in workers.parts(*tasks):
            found += part
            progress(len(found), total)
    return _audited(audit, sorted(found, key=lambda item: item[0]))


def work_on_share(channel: Channel, subject: Subject, sample: int | None, share: int, shares: int) -> None:
    """Hand over the outcomes of every so many-th mutant; in a worker."""
    audit = KernelAudit(subject)
    for part in _parts(audit, audit.chosen(sample)[share::shares]):
        channel.hand_over(part)


def _parts(audit: KernelAudit, numbers: Sequence[int]) -> Iterator[list[Numbered]]:
    for at in range(0, len(numbers), PART):
        yield [
            (number, audit.mutants[number].kind, outcome)
            for number, outcome in outcomes(audit, numbers[at : at + PART])
        ]


def _audited(audit: KernelAudit, found: list[Numbered]) -> AuditedKernel:
    truth, kernel = audit.truth, audit.subject.kernel
    return AuditedKernel(
        engine=kernel.engine,
        oracle=kernel.oracle,
        model_sha256=kernel.model_sha256,
        mutants=len(audit.mutants),
        against={name: getattr(truth, name).against for name in ("codes", "twenty", "four")},
        outcomes=found,
        survivors=list(_survivors(audit, found)),
    )


def _survivors(audit: KernelAudit, found: Sequence[Numbered]) -> Iterator[str]:
    for number, kind, outcome in found:
        name = f"{number}, {kind}: {audit.mutants[number].name}"
        if outcome.visible and not outcome.exhaustive:
            yield f"{name} survives the exhaustive comparison"
        if kind in FLIPS and not outcome.identity:
            yield f"{name} survives the identity"


def audited_kernels(
    selection: Selection, kinds: list[str], seed: int, modes: list[Mode]
) -> Iterator[Subject]:
    """Yield each kernel with the inputs that ``verify`` would send; the first one's errors come at once."""
    loaded, oracle = selection.model, selection.oracle
    for kind in dict.fromkeys(kinds):
        kernel = generate_kernel(loaded, oracle, kind)
        inputs = [steps.probe_inputs(selection, mode, None, seed) for mode in modes]
        yield Subject(loaded, kernel, inputs[0], inputs[1] if len(inputs) > 1 else None, seed)
