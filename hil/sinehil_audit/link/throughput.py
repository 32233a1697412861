"""How long an exhaustive verification takes over a noisy line, in simulated time, against a clean one."""

from dataclasses import dataclass

from sinehil.verify import Verdict
from sinehil.verify.result import VerifyResult
from sinehil_audit.link.case import run_schedule
from sinehil_audit.link.fixtures import Bench
from sinehil_audit.link.schedule import CLEAN, Schedule

RATES = (1e-5, 1e-4)


@dataclass(frozen=True)
class Throughput:
    """Verifications of the right board at a bit error rate; times are multiples of ``clean_s``."""

    rate: float
    verifies: int
    passes: int
    clean_s: float
    median: float
    worst: float


def measure_throughput(bench: Bench, rate: float, verifies: int, seed: int) -> Throughput:
    """Verify again and again, each time with other bits hit."""
    clean_s = run_schedule(bench, bench.plans[0], 0, CLEAN, seed).elapsed_s
    seen = [
        run_schedule(bench, bench.plans[0], 0, Schedule("noise", (), rate, seed + number), seed + number)
        for number in range(verifies)
    ]
    passes = [
        item.outcome
        for item in seen
        if isinstance(item.outcome, VerifyResult) and item.outcome.verdict is Verdict.PASS
    ]
    times = sorted(item.elapsed_s / clean_s for item in seen)
    return Throughput(rate, verifies, len(passes), clean_s, times[len(times) // 2], times[-1])
