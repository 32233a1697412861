"""Train and sweep: choose recipe and trainer, and leave out what has been done already."""

import contextlib
import hashlib
import json
import os
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sinehil.base.console import Console, Stage
from sinehil.base.files import bounded_bytes, sha256_of, write_atomically
from sinehil.base.folders import cache_dir
from sinehil.base.installed import check_installed, versions
from sinehil.base.manifest import MANIFEST, Manifest, checked_file, read_manifest
from sinehil.errors import ArtefactError, UsageError
from sinehil.jobs import DEFAULT_RECIPE
from sinehil_pipeline import run as pipeline
from sinehil_pipeline.config import Recipe
from sinehil_pipeline.recipes import (
    Override,
    data_override,
    load_recipe,
    parse_override,
    recipe_text,
    repeated_recipe,
    seed_override,
)
from sinehil_pipeline.run import TrainingSummary
from sinehil_pipeline.sweep import Sweep, parse_seeds
from sinehil_pipeline.sweep import sweep as run_sweep
from sinehil_pipeline.sweep.sweep_text import counted, summary_lines
from sinehil_pipeline.training.jobs import PORTABLE, TRAINERS
from sinehil_pipeline.training.trainer_cost import Comparison, compare_trainers

TRAINED_RECORD = "trained.json"
MAX_RECORD_BYTES = 4096


class TrainingBar:
    """Shows ``models`` trainings, which may run side by side, as one bar."""

    def __init__(self, stage: Stage, models: int) -> None:
        self._stage, self._models = stage, models
        self._done: dict[str, float] = {}

    def epoch(self, model: str, epoch: int, epochs: int, val_mse: float) -> None:
        """Show one finished epoch."""
        self._done[model] = epoch / epochs
        fraction = sum(self._done.values()) / self._models
        self._stage.update(f"{model} epoch {epoch}/{epochs} val_mse {val_mse:.4f}", fraction)

    def stage(self, text: str, fraction: float | None = None) -> None:
        """Show what is going on besides training, and how far it is where that is known."""
        self._stage.update(text, fraction)


def overrides(keys: list[str] | None, data: Path | None, seed: int | None = None) -> list[Override]:
    """Return what --data, --seed and --set say, in that order."""
    named = [] if data is None else [data_override(data)]
    named += [] if seed is None else [seed_override(seed)]
    return [*named, *map(parse_override, keys or [])]


def choose_recipe(
    name: str | None, manifest: Path | None, wanted: list[Override]
) -> tuple[Recipe, Manifest | None]:
    """Return the recipe, and the manifest it comes from if --from names one."""
    if manifest is None:
        return load_recipe(name or DEFAULT_RECIPE, wanted), None
    if name is not None:
        raise UsageError("--recipe and --from both name a recipe", "give one of them")
    return repeated_recipe(manifest, wanted)


def recipe_file(name: str | None, varied: bool) -> str:
    """Return the text of a recipe's file; raise UsageError if it is to be ``varied``."""
    if varied:
        raise UsageError(
            "--print-recipe prints a recipe's file as it is", "give it --recipe alone, or nothing"
        )
    return recipe_text(name or DEFAULT_RECIPE)


def trainer_of(earlier: Manifest | None) -> str:
    """Return the trainer of an earlier run, else the default one."""
    if earlier is None:
        return PORTABLE
    if earlier.trainer not in TRAINERS:
        raise UsageError(
            f"the manifest names a trainer that this version does not have: {earlier.trainer[:40]!r}",
            f"choose one: --trainer {' or --trainer '.join(TRAINERS)}",
        )
    return earlier.trainer


def run_training(console: Console, recipe: Recipe, trainer: str, out: Path) -> TrainingSummary:
    """Train into ``out`` as one stage with a live bar."""
    with console.stage("train") as stage:
        summary = pipeline.train(recipe, out, trainer, TrainingBar(stage, models=2))
        stage.note = summary.headline()
    return summary


def train_once(console: Console, out: Path, again: bool) -> None:
    """Train the default recipe into ``out``, unless ``out`` holds what the same code made of it before."""
    recipe = load_recipe(DEFAULT_RECIPE)
    record = _record_of(recipe, PORTABLE)
    if not again and _is_trained(out, record):
        with console.stage("train") as stage:
            stage.note = (
                "these artefacts are of this recipe and these versions already (--retrain trains again)"
            )
        return
    run_training(console, recipe, PORTABLE, out)
    _remember(out, record)


def _remember(out: Path, record: dict[str, str]) -> None:
    document = json.dumps({**record, "manifest": sha256_of(out / MANIFEST)}, indent=1)
    with contextlib.suppress(
        ArtefactError, OSError
    ):  # a container's cache may not be there: train again, then
        write_atomically(cache_dir() / TRAINED_RECORD, f"{document}\n".encode())


def _record_of(recipe: Recipe, trainer: str) -> dict[str, str]:
    """Return what decides an artefact folder's bytes: the recipe, the trainer, versions, and our own code."""
    check_installed("tensorflow", "matplotlib")
    decisive = {**versions(), "matplotlib": version("matplotlib"), "trainer": trainer, "code": _code_sha256()}
    text = json.dumps(recipe.as_dict(), sort_keys=True)
    return {**decisive, "recipe": hashlib.sha256(text.encode()).hexdigest()}


def _code_sha256() -> str:
    """Return a hash over every file of the packages that training runs."""
    import sinehil
    import sinehil_kernels
    import sinehil_pipeline

    digest = hashlib.sha256()
    for package in (sinehil, sinehil_kernels, sinehil_pipeline):
        folder = Path(package.__path__[0])
        for path in sorted(folder.rglob("*")):
            if path.suffix in (".py", ".j2", ".css") and path.is_file():
                digest.update(f"{path.relative_to(folder.parent)} {sha256_of(path)}\n".encode())
    return digest.hexdigest()


def _is_trained(out: Path, record: dict[str, str]) -> bool:
    """Return whether ``out`` is, file by file, what a training with this record left."""
    try:
        known = json.loads(bounded_bytes(cache_dir() / TRAINED_RECORD, MAX_RECORD_BYTES) or b"")
        if known != {**record, "manifest": sha256_of(out / MANIFEST)}:
            return False
        manifest = read_manifest(out)
        return all(checked_file(out, manifest, name) for name in manifest.files)
    except (ArtefactError, OSError, ValueError, RecursionError):
        return False


def sweep_seeds(
    console: Console, recipe: Recipe, seeds: str, processes: int | None, out: Path
) -> dict[str, Any]:
    """Sweep, or go on with a sweep; say how it went, and return it as one document."""
    wanted = parse_seeds(seeds)
    with console.stage("sweep", with_eta=True) as stage:
        bar = TrainingBar(stage, models=1)
        done = run_sweep(recipe, wanted, out, processes or len(os.sched_getaffinity(0)), bar)
        earlier = len(done.results) - done.trained
        stage.note = f"{counted(done.trained)} trained" + (f", {earlier} from earlier" if earlier else "")
    for line in ["", *summary_lines(done.recipe, done.statistics), ""]:
        console.say(line)
    return _sweep_document(done)


def _sweep_document(done: Sweep) -> dict[str, Any]:
    return {
        "table": str(done.table),
        "plot": str(done.plot),
        "seeds": len(done.results),
        "trained": done.trained,
        **asdict(done.statistics),
        "results": [result.as_dict() for result in done.results],
        "recipe": done.recipe.as_dict(),
    }


def compare_book_trainers(console: Console, epochs: int | None) -> dict[str, Any]:
    """Train the book's models with both trainers, of ``epochs`` if they are given; return what it cost."""
    recipe, found = _book(epochs), list[Comparison]()
    for model in (recipe.baseline, recipe.final):
        with console.stage(model.name) as stage:
            found.append(compare_trainers(recipe, model, TrainingBar(stage, models=2)))
            stage.note = _comparison_line(found[-1])
    return {"models": {item.model: _comparison_document(item) for item in found}}


def _book(epochs: int | None) -> Recipe:
    book = load_recipe(DEFAULT_RECIPE)
    if epochs is None:
        return book
    baseline, final = (replace(model, epochs=epochs) for model in (book.baseline, book.final))
    return replace(book, baseline=baseline, final=final)


def _comparison_line(found: Comparison) -> str:
    return (
        f"{found.epochs} epochs: keras {found.keras.seconds:.1f} s, portable {found.portable.seconds:.2f} s, "
        f"{found.ratio:.0f} times faster ({found.cpu_ratio:.0f} times by processor time)"
    )


def _comparison_document(found: Comparison) -> dict[str, Any]:
    return {**asdict(found), "ratio": found.ratio, "cpu_ratio": found.cpu_ratio}
