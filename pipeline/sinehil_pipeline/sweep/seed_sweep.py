"""Run a sweep: workers train seeds, results go to the ledger, then table, plot and summary are written."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sinehil.base.installed import check_installed
from sinehil.base.staging import staged_folder
from sinehil.base.workers import Progress, Workers
from sinehil.errors import InterruptionError
from sinehil_pipeline.config import Recipe
from sinehil_pipeline.sweep.ledger import Ledger, header_of, open_ledger
from sinehil_pipeline.sweep.seed_training import measure_seeds
from sinehil_pipeline.sweep.seeds import SeedResult
from sinehil_pipeline.sweep.statistics import Statistics, statistics_of
from sinehil_pipeline.sweep.sweep_plot import draw_sweep
from sinehil_pipeline.sweep.sweep_text import results_csv

CSV, PLOT = "sweep.csv", "sweep.png"


@dataclass(frozen=True)
class Sweep:
    """A finished sweep: ``results`` in the order of seeds, ``trained`` of them now, the others earlier."""

    recipe: Recipe
    results: tuple[SeedResult, ...]
    trained: int
    statistics: Statistics
    table: Path
    plot: Path


def sweep(recipe: Recipe, seeds: Sequence[int], out: Path, jobs: int, progress: Progress) -> Sweep:
    """Train every seed that ``out`` does not have yet, in ``jobs`` processes; write a table and a plot of all.

    The recipe's steps after training are left out. Nothing depends on ``jobs`` or on which seeds were there. Raises
    UsageError (``out`` is of another sweep, or in use), ArtefactError (damaged, or cannot be written), ToolError
    (something is not installed, a worker died), InterruptionError; in every case ``out`` keeps the seeds that are done.
    """
    check_installed("tensorflow", "matplotlib")
    recipe = replace(recipe, after=())
    with open_ledger(out, header_of(recipe)) as ledger:
        missing = [seed for seed in seeds if seed not in ledger.results]
        with _taken_up_again_later(ledger, seeds):
            _measure(recipe, missing, ledger, jobs, _Tally(progress, len(seeds) - len(missing), len(seeds)))
            results = tuple(ledger.results[seed] for seed in sorted(seeds))
            statistics = statistics_of(results, recipe.gate, recipe.seed)
            _write(recipe, results, statistics, out, progress)
    return Sweep(recipe, results, len(missing), statistics, out / CSV, out / PLOT)


class _Tally:
    """Turns the progress of seeds, some of them half done, into that of the sweep."""

    def __init__(self, progress: Progress, done: int, total: int) -> None:
        self._progress, self._done, self._total = progress, done, total
        self._underway: dict[str, float] = {}

    def epoch(self, model: str, epoch: int, epochs: int, val_mse: float) -> None:  # noqa: ARG002 (Progress has it)
        """Count the epochs of a seed as a part of it."""
        self._underway[model] = epoch / epochs
        self._tell()

    def stage(self, text: str, fraction: float | None = None) -> None:
        """Pass it on."""
        self._progress.stage(text, fraction)

    def seed_done(self, seed: int) -> None:
        """Count a seed."""
        self._underway.pop(f"seed {seed}", None)
        self._done += 1
        self._tell()

    def _tell(self) -> None:
        fraction = (self._done + sum(self._underway.values())) / self._total
        self.stage(f"{self._done} of {self._total} seeds", fraction)


@contextlib.contextmanager
def _taken_up_again_later(ledger: Ledger, seeds: Sequence[int]) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        done = sum(seed in ledger.results for seed in seeds)
        raise InterruptionError(
            f"interrupted: {done} of {len(seeds)} seeds are done, and kept in {ledger.path}",
            "the same command goes on with the others",
        ) from None


def _measure(recipe: Recipe, seeds: Sequence[int], ledger: Ledger, jobs: int, tally: _Tally) -> None:
    """Keep every worker at a seed, the next one going to whoever is free."""
    if not seeds:
        return
    tally.stage("importing TensorFlow")
    queue = iter(seeds)
    with Workers(tally) as workers:
        tasks = [workers.start(measure_seeds, recipe) for _ in range(min(jobs, len(seeds)))]
        for task in tasks:
            task.send(next(queue))
        for task, result in workers.parts(*tasks):
            ledger.append(result)
            task.send(next(queue, None))
            tally.seed_done(result.seed)


def _write(
    recipe: Recipe,
    results: tuple[SeedResult, ...],
    statistics: Statistics,
    out: Path,
    progress: Progress,
) -> None:
    progress.stage("drawing")
    with Workers(progress) as workers:
        drawing = workers.start(draw_sweep, recipe, results, statistics)
        workers.wait_for(drawing)
    with staged_folder(out, last=CSV) as staging:
        (staging / PLOT).write_bytes(drawing.result())
        (staging / CSV).write_text(results_csv(results, recipe.gate))
