"""Which seeds to train: ``0:200``, ``0:200:10``, ``1,5,137``, or several of these with commas."""

import re

from sinehil.errors import UsageError
from sinehil_pipeline.recipes.build import MAX_SEED
from sinehil_pipeline.recipes.table import shown

MAX_SEEDS = 100_000
HELP = "for example `--seeds 0:200` (0 to 199), `--seeds 0:1000:10` or `--seeds 1,5,137`"

_PART = re.compile(r"([0-9]{1,10})(?::([0-9]{1,10})(?::([0-9]{1,10}))?)?")


def parse_seeds(text: str) -> tuple[int, ...]:
    """Return the seeds in ascending order, each once; ranges are half open, as in Python. Raises UsageError."""
    ranges = [_range(part.strip(), text) for part in text.split(",")]
    if sum(map(len, ranges)) > MAX_SEEDS:
        raise UsageError(f"--seeds {shown(text)} are more than {MAX_SEEDS} seeds", "ask for fewer")
    seeds = sorted({seed for part in ranges for seed in part})
    if not seeds or seeds[-1] > MAX_SEED:
        raise UsageError(f"--seeds {shown(text)}: allowed are seeds from 0 to {MAX_SEED}, at least one", HELP)
    return tuple(seeds)


def _range(part: str, text: str) -> range:
    match = _PART.fullmatch(part)
    if match is None or (match[3] and int(match[3]) == 0):
        raise UsageError(f"--seeds {shown(text)} is not A:B, A:B:STEP or a list of seeds", HELP)
    first = int(match[1])
    return range(first, int(match[2]) if match[2] else first + 1, int(match[3] or 1))
