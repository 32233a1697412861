"""Contents of the artefact files: samples, histories, models, metrics and the manifest."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from sinehil.base import manifest
from sinehil.model.tflite import Quantization, QuantizedModel
from sinehil_pipeline.config import Recipe
from sinehil_pipeline.conversion.evaluation import Evaluation
from sinehil_pipeline.data.samples import make_dataset, samples_csv
from sinehil_pipeline.training.history import history_csv
from sinehil_pipeline.training.jobs import Trained

ORACLE = "litert"  # what a trained model must equal, unless a command names another
Files = Mapping[str, bytes]


def data_files(recipe: Recipe, *models: Trained) -> Files:
    """Return the samples, and each model's history, by artefact name."""
    files = {manifest.SAMPLES: samples_csv(make_dataset(recipe)).encode()}
    if recipe.data.csv is not None:
        files[manifest.SOURCE_DATA] = recipe.data.csv
    for model in models:
        files[f"{model.name}/history.csv"] = history_csv(model.history).encode()
    return files


def model_files(results: Evaluation) -> Files:
    """Return both .tflite files, the Keras models, their tables and the metrics, by artefact name."""
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


def write_files(folder: Path, files: Files) -> None:
    """Write the files below ``folder``, by their POSIX relative names."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def manifest_of(
    staging: Path,
    recipe: Recipe,
    trainer: str,
    final: Trained,
    model: QuantizedModel,
    versions: Mapping[str, str],
) -> manifest.Manifest:
    """Return the manifest of everything in ``staging``; ``model`` is the quantized one."""

    def entry(quantization: Quantization) -> manifest.QuantizationEntry:
        return manifest.QuantizationEntry(float(quantization.scale), int(quantization.zero_point))

    return manifest.Manifest(
        recipe=recipe.as_dict(),
        trainer=trainer,
        init_seed=final.seed,
        tries=final.tries,
        oracle=ORACLE,
        input=entry(model.input),
        output=entry(model.output),
        versions=versions,
        files=manifest.describe_files(staging),
    )
