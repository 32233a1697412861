"""The pipeline: data, training, evaluation, conversion, export, plots, in one artefact folder.

TensorFlow is imported in a worker while NumPy trains in two others; the plots have one of their own. All files are
written by this process, into a staging folder that becomes the artefact folder at the very end.
"""

import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from sinehil.base import manifest
from sinehil.base.installed import check_installed
from sinehil.base.progress import Progress
from sinehil.base.staging import staged_folder
from sinehil.base.workers import Workers
from sinehil.errors import UsageError
from sinehil.model.tflite import Quantization, load_quantized_model
from sinehil_kernels import check_kernel, generate_kernel
from sinehil_pipeline.config import Recipe
from sinehil_pipeline.conversion import c_array as export
from sinehil_pipeline.conversion import evaluation
from sinehil_pipeline.conversion.evaluation import Evaluation
from sinehil_pipeline.conversion.quantization_variants import MeasuredForm
from sinehil_pipeline.data.samples import make_dataset, samples_csv
from sinehil_pipeline.page import Content, page_html
from sinehil_pipeline.page import book_plots as plots
from sinehil_pipeline.training import jobs as training
from sinehil_pipeline.training.curves import drawable, fixed_order_y
from sinehil_pipeline.training.history import history_csv
from sinehil_pipeline.training.jobs import Trained
from sinehil_pipeline.training_summary import ModelForm, TrainingSummary

__all__ = ["TrainingSummary", "train"]

ORACLE = "litert"

Files = dict[str, bytes]


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


def train(recipe: Recipe, out: Path, trainer: str, progress: Progress) -> TrainingSummary:
    """Run the whole pipeline into ``out``, which changes only if all of it succeeds.

    Raises UsageError (a trainer or a step that there is not), ToolError (something is not installed, a worker died),
    QualityError (gate, divergence), ArtefactError (``out`` cannot be written).
    """
    if trainer not in training.TRAINERS:
        raise UsageError(f"there is no trainer {trainer!r}", f"choose one of: {', '.join(training.TRAINERS)}")
    check_installed("tensorflow", "matplotlib")
    watch = Stopwatch()
    with staged_folder(out, last=manifest.MANIFEST) as staging:
        with Workers(progress) as workers:
            models, results, forms, pngs = _work(workers, recipe, trainer, progress, watch)
        with watch.stage("write"):
            files = _data_files(recipe, models) | _model_files(results) | pngs
            _write(staging, files)
            array = export.c_array(staging / manifest.QUANTIZED_MODEL)
            _write(staging, {manifest.C_ARRAY: array})
            _write_kernel_and_page(staging, recipe, trainer, models, results, forms)
            manifest.write_manifest(staging, _manifest(staging, recipe, trainer, models[1], results))
    return _summary(recipe, trainer, models[1], results, len(array), watch.stop())


def _work(
    workers: Workers, recipe: Recipe, trainer: str, progress: Progress, watch: Stopwatch
) -> tuple[tuple[Trained, Trained], Evaluation, tuple[MeasuredForm, ...], Files]:
    evaluating = workers.start(evaluation.evaluate, recipe)
    with watch.stage("training"):
        jobs = [
            workers.start(job, recipe, trainer) for job in (training.train_final, training.train_baseline)
        ]
        workers.wait_for(*jobs)
        final, baseline = (job.result() for job in jobs)
    progress.stage("evaluating and converting")
    histories = {model.name: model.history for model in (baseline, final)}
    drawing = workers.start(plots.draw_all, recipe, histories)
    with watch.stage("evaluation and conversion"):
        evaluating.send((baseline.weights, final.weights))
        workers.wait_for_early(evaluating)
        results: Evaluation = evaluating.early()
    progress.stage("drawing plots")
    with watch.stage("rest of plots"):
        drawing.send(_predictions(recipe, final, baseline, results))
        workers.wait_for(drawing, evaluating)
    return (baseline, final), results, evaluating.result(), drawing.result()


def _predictions(recipe: Recipe, final: Trained, baseline: Trained, results: Evaluation) -> plots.Predictions:
    data = make_dataset(recipe)
    baseline_y = fixed_order_y(baseline.weights, data.train.x, recipe.baseline.activation)
    final_y = fixed_order_y(final.weights, data.test.x, recipe.final.activation)
    return plots.Predictions(
        baseline_train=drawable(results.baseline.train_y, baseline_y),
        final_test=drawable(results.final.test_y, final_y),
        float_test=drawable(results.float_y, final_y),
        quantized_test=results.quantized_y,
    )


def _data_files(recipe: Recipe, models: tuple[Trained, Trained]) -> Files:
    files = {manifest.SAMPLES: samples_csv(make_dataset(recipe)).encode()}
    if recipe.data.csv is not None:
        files[manifest.SOURCE_DATA] = recipe.data.csv
    for model in models:
        files[f"{model.name}/history.csv"] = history_csv(model.history).encode()
    return files


def _model_files(results: Evaluation) -> Files:
    files = {manifest.FLOAT_MODEL: results.files.float, manifest.QUANTIZED_MODEL: results.files.quantized}
    for model in (results.baseline, results.final):
        files[f"{model.name}/model.keras"] = model.saved
        files[f"{model.name}/summary.txt"] = model.summary.encode()
    files[manifest.METRICS] = (json.dumps(_metrics(results), indent=1, sort_keys=True) + "\n").encode()
    return files


def _metrics(results: Evaluation) -> Mapping[str, object]:
    """Return what ``metrics.json`` holds: errors on the test set by model and form, over every x, sizes in bytes."""
    baseline, final = results.baseline, results.final
    return {
        "test": {
            baseline.name: {"keras": asdict(baseline.metrics)},
            final.name: {
                "keras": asdict(final.metrics),
                "litert_float": asdict(results.float_metrics),
                "litert_quantized": asdict(results.quantized_metrics),
            },
        },
        "every_x": None if results.every_x is None else asdict(results.every_x),
        "bytes": {
            manifest.FLOAT_MODEL: len(results.files.float),
            manifest.QUANTIZED_MODEL: len(results.files.quantized),
        },
    }


def _write(folder: Path, files: Files) -> None:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _write_kernel_and_page(
    staging: Path,
    recipe: Recipe,
    trainer: str,
    models: tuple[Trained, Trained],
    results: Evaluation,
    forms: tuple[MeasuredForm, ...],
) -> None:
    """Write the C that `sinehil compile` makes of the model, held against the interpreter, and the run's page."""
    model = load_quantized_model(staging / manifest.QUANTIZED_MODEL)
    kernel = generate_kernel(model, ORACLE)
    check_kernel(kernel, model)
    _write(staging, {manifest.KERNEL: kernel.source.encode()})
    files = manifest.describe_files(staging)
    content = Content(recipe, trainer, *models, results, model, forms, kernel, files)
    _write(staging, {manifest.PAGE: page_html(content).encode()})


def _manifest(
    staging: Path, recipe: Recipe, trainer: str, final: Trained, results: Evaluation
) -> manifest.Manifest:
    def entry(quantization: Quantization) -> manifest.QuantizationEntry:
        return manifest.QuantizationEntry(float(quantization.scale), int(quantization.zero_point))

    model = load_quantized_model(staging / manifest.QUANTIZED_MODEL)
    return manifest.Manifest(
        recipe=recipe.as_dict(),
        trainer=trainer,
        init_seed=final.seed,
        tries=final.tries,
        oracle=ORACLE,
        input=entry(model.input),
        output=entry(model.output),
        versions=results.versions,
        files=manifest.describe_files(staging),
    )


def _summary(
    recipe: Recipe,
    trainer: str,
    final: Trained,
    results: Evaluation,
    c_array_bytes: int,
    seconds: dict[str, float],
) -> TrainingSummary:
    name = recipe.final.name

    def form(model: str, text: str, metrics: evaluation.Metrics, data: bytes) -> ModelForm:
        return ModelForm(model, text, metrics, len(data), hashlib.sha256(data).hexdigest())

    return TrainingSummary(
        target=recipe.data.target,
        trainer=trainer,
        init_seed=final.seed,
        tries=final.tries,
        gate=recipe.gate,
        baseline=form(recipe.baseline.name, "Keras", results.baseline.metrics, results.baseline.saved),
        keras=form(name, "Keras", results.final.metrics, results.final.saved),
        lite=form(name, "Lite float32", results.float_metrics, results.files.float),
        quantized=form(name, "Lite int8", results.quantized_metrics, results.files.quantized),
        every_x=results.every_x,
        c_array_bytes=c_array_bytes,
        model_summaries={model.name: model.summary for model in (results.baseline, results.final)},
        seconds=seconds,
    )
