"""The pipeline, from top to bottom: training, evaluation and conversion, plots, export, kernel, page, manifest.

TensorFlow is imported in a worker while NumPy trains in two others; the plots have one of their own. All files are
written by this process, into a staging folder that becomes the artefact folder at the very end.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from sinehil.base import manifest
from sinehil.base.installed import check_installed
from sinehil.base.staging import staged_folder
from sinehil.base.workers import Progress, Workers
from sinehil.errors import UsageError
from sinehil.model.tflite import load_quantized_model
from sinehil_kernels import proven_kernel
from sinehil_pipeline.artefact_files import ORACLE, Files, data_files, manifest_of, model_files, write_files
from sinehil_pipeline.config import Recipe
from sinehil_pipeline.conversion.c_array import c_array
from sinehil_pipeline.conversion.evaluation import Evaluation, evaluate
from sinehil_pipeline.conversion.quantization_variants import MeasuredVariant
from sinehil_pipeline.page import Content, page_html
from sinehil_pipeline.page.book_plots import draw_all, predictions_to_draw
from sinehil_pipeline.training.jobs import TRAINERS, Trained, train_baseline, train_final
from sinehil_pipeline.training_summary import TrainingSummary, summary_of

__all__ = ["TrainingSummary", "train"]


class Stopwatch:
    """Seconds by stage."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a block."""
        started = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - started, 2)

    def stop(self) -> dict[str, float]:
        """Return all stages and the total."""
        return self.seconds | {"total": round(time.monotonic() - self._started, 2)}


class Results(NamedTuple):
    """What the workers computed; ``plots`` are PNG files by artefact name."""

    baseline: Trained
    final: Trained
    evaluation: Evaluation
    variants: tuple[MeasuredVariant, ...]
    plots: Files


def train(recipe: Recipe, out: Path, trainer: str, progress: Progress) -> TrainingSummary:
    """Run the whole pipeline into ``out``, which changes only if all of it succeeds.

    Raises UsageError (a trainer or a step that there is not), ToolError (something is not installed, a worker died),
    QualityError (gate, divergence), ArtefactError (``out`` cannot be written).
    """
    if trainer not in TRAINERS:
        raise UsageError(f"there is no trainer {trainer!r}", f"choose one of: {', '.join(TRAINERS)}")
    check_installed("tensorflow", "matplotlib")
    watch = Stopwatch()
    with staged_folder(out, last=manifest.MANIFEST) as staging:
        results = _compute(recipe, trainer, progress, watch)
        with watch.stage("write"):
            array_bytes = _export(staging, recipe, trainer, results)
    return summary_of(recipe, trainer, results.final, results.evaluation, array_bytes, watch.stop())


def _compute(recipe: Recipe, trainer: str, progress: Progress, watch: Stopwatch) -> Results:
    """Train both models; evaluate and convert; draw the plots."""
    with Workers(progress) as workers:
        evaluating = workers.start(evaluate, recipe)  # imports TensorFlow meanwhile
        with watch.stage("training"):
            jobs = [workers.start(job, recipe, trainer) for job in (train_final, train_baseline)]
            workers.wait_for(*jobs)
            final, baseline = (job.result() for job in jobs)
        progress.stage("evaluating and converting")
        drawing = workers.start(draw_all, recipe, {model.name: model.history for model in (baseline, final)})
        with watch.stage("evaluation and conversion"):
            evaluating.send((baseline.weights, final.weights))
            workers.wait_for_early(evaluating)
            evaluation: Evaluation = evaluating.early()
        progress.stage("drawing plots")
        with watch.stage("rest of plots"):
            drawing.send(predictions_to_draw(recipe, baseline.weights, final.weights, evaluation))
            workers.wait_for(drawing, evaluating)
        return Results(baseline, final, evaluation, evaluating.result(), drawing.result())


def _export(staging: Path, recipe: Recipe, trainer: str, results: Results) -> int:
    """Write all artefacts: data, models, plots, C array, kernel, page, manifest; return the C array's bytes."""
    baseline, final, evaluation, variants, plots = results
    write_files(staging, data_files(recipe, baseline, final))
    write_files(staging, model_files(evaluation))
    write_files(staging, plots)
    array = c_array(staging / manifest.QUANTIZED_MODEL)
    write_files(staging, {manifest.C_ARRAY: array})
    # The C that `sinehil compile` makes of the model, checked against the interpreter.
    model = load_quantized_model(staging / manifest.QUANTIZED_MODEL)
    kernel = proven_kernel(model, ORACLE)
    write_files(staging, {manifest.KERNEL: kernel.source.encode()})
    listed = manifest.describe_files(staging)
    content = Content(recipe, trainer, baseline, final, evaluation, model, variants, kernel, listed)
    write_files(staging, {manifest.PAGE: page_html(content).encode()})
    written = manifest_of(staging, recipe, trainer, final, model, evaluation.versions)
    manifest.write_manifest(staging, written)
    return len(array)
