import json
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from training_runs import Recorder, Run

from sinehil.base.manifest import checked_file, read_manifest
from sinehil.errors import ArtefactError, ToolError, UsageError
from sinehil.model.tflite import load_quantized_model
from sinehil_pipeline.config import Recipe
from sinehil_pipeline.conversion.evaluation import run_interpreter
from sinehil_pipeline.data.samples import make_dataset
from sinehil_pipeline.recipes import load_recipe
from sinehil_pipeline.run import train

BOOK = load_recipe("book")

NAMES = {
    "manifest.json",
    "metrics.json",
    "training.html",
    "data/samples.csv",
    "sine_model.tflite",
    "sine_model_quantized.tflite",
    "sine_model_quantized.cc",
    "sinehil_kernel.c",
    *(f"model_{n}/{name}" for n in (1, 2) for name in ("history.csv", "model.keras", "summary.txt")),
    *(f"plots/model_{n}_{name}.png" for n in (1, 2) for name in ("history", "predictions")),
    *(f"plots/{name}.png" for name in ("samples", "split", "comparison")),
}
LOAD_TIMEOUT_S = 120


def test_the_folder_holds_exactly_the_promised_files(book_run: Run) -> None:
    files = {p.relative_to(book_run.folder).as_posix() for p in book_run.folder.rglob("*") if p.is_file()}
    assert files == NAMES
    assert set(read_manifest(book_run.folder).files) == NAMES - {"manifest.json"}


def test_every_hash_of_the_manifest_is_true(book_run: Run) -> None:
    manifest = read_manifest(book_run.folder)
    for name in manifest.files:
        checked_file(book_run.folder, manifest, name)


def test_an_altered_file_is_noticed(book_run: Run, tmp_path: Path) -> None:
    copy = shutil.copytree(book_run.folder, tmp_path / "copy")
    data = bytearray((copy / "sine_model_quantized.tflite").read_bytes())
    data[len(data) // 2] ^= 1
    (copy / "sine_model_quantized.tflite").write_bytes(data)
    with pytest.raises(ArtefactError, match="altered or truncated"):
        checked_file(copy, read_manifest(copy), "sine_model_quantized.tflite")


def test_the_manifest_tells_how_the_model_came_to_be(book_run: Run) -> None:
    manifest = read_manifest(book_run.folder)
    model = load_quantized_model(book_run.folder / "sine_model_quantized.tflite")
    assert (np.float32(manifest.input.scale), manifest.input.zero_point) == (
        model.input.scale,
        model.input.zero_point,
    )
    assert (np.float32(manifest.output.scale), manifest.output.zero_point) == (
        model.output.scale,
        model.output.zero_point,
    )
    assert (manifest.trainer, manifest.oracle) == ("portable", "litert")
    assert set(manifest.versions) == {"tensorflow", "keras", "numpy", "ai-edge-litert", "sinehil"}
    assert manifest.recipe == json.loads(json.dumps(BOOK.as_dict()))


def test_the_input_covers_all_of_0_to_2_pi(book_run: Run) -> None:
    model = load_quantized_model(book_run.folder / "sine_model_quantized.tflite")
    codes = np.array([-128, 127], np.int16)
    low, high = (codes - model.input.zero_point) * model.input.scale
    assert low == 0
    assert high == pytest.approx(2 * np.pi, abs=float(model.input.scale) / 2)
    assert [(layer.weights.shape, layer.activation) for layer in model.layers] == [
        ((16, 1), "RELU"),
        ((16, 16), "RELU"),
        ((1, 16), "NONE"),
    ]
    assert (model.float_input, model.float_output) == (True, True)


def test_layer_names_in_the_files_are_ours(book_run: Run) -> None:
    for name in ("sine_model.tflite", "sine_model_quantized.tflite"):
        data = (book_run.folder / name).read_bytes()
        assert b"hidden_1" in data
        assert b"sequential" not in data
        assert b"dense" not in data


def test_metrics_are_those_of_the_files(book_run: Run) -> None:
    metrics = json.loads((book_run.folder / "metrics.json").read_bytes())
    test = make_dataset(BOOK).test
    for form, name in (
        ("litert_float", "sine_model.tflite"),
        ("litert_quantized", "sine_model_quantized.tflite"),
    ):
        error = run_interpreter((book_run.folder / name).read_bytes(), test.x).astype(float) - test.y
        found = metrics["test"]["model_2"][form]
        assert found["mse"] == pytest.approx(float(np.mean(error**2)), rel=1e-4)
        assert found["mae"] == pytest.approx(float(np.mean(np.abs(error))), rel=1e-4)
        assert found["max_abs_error"] == pytest.approx(float(np.abs(error).max()), rel=1e-4)
        assert metrics["bytes"][name] == (book_run.folder / name).stat().st_size
    models = metrics["test"]
    assert models["model_2"]["keras"]["mse"] < 0.02 < models["model_1"]["keras"]["mse"]
    assert models["model_2"]["keras"]["mse"] == pytest.approx(
        models["model_2"]["litert_float"]["mse"], rel=1e-3
    )


def test_saved_models_load_and_predict_as_the_float_file(book_run: Run) -> None:
    program = (
        "import sys, keras, numpy as np\n"
        "x = np.array(sys.argv[2:], np.float32)\n"
        "print(*np.asarray(keras.saving.load_model(sys.argv[1])(x[:, None]))[:, 0])\n"
    )
    x = np.array([0.5, 3.0, 6.0], np.float32)
    found = subprocess.run(
        [sys.executable, "-c", program, str(book_run.folder / "model_2/model.keras"), *map(str, x)],
        capture_output=True,
        text=True,
        check=True,
        timeout=LOAD_TIMEOUT_S,
    )
    expected = run_interpreter((book_run.folder / "sine_model.tflite").read_bytes(), x)
    np.testing.assert_allclose(np.array(found.stdout.split(), np.float32), expected, atol=1e-5)


def test_plots_are_pictures_without_time_or_version(book_run: Run) -> None:
    for path in (book_run.folder / "plots").iterdir():
        data = path.read_bytes()
        assert data.startswith(b"\x89PNG\r\n\x1a\n"), path
        width, height = struct.unpack(">II", data[16:24])
        assert min(width, height) >= 400, path
        assert len(data) > 20_000, f"{path} looks empty"
        assert b"tEXt" not in data, path


def test_histories_have_every_epoch(book_run: Run) -> None:
    for name, epochs in (("model_1", 1000), ("model_2", 600)):
        lines = (book_run.folder / name / "history.csv").read_text().splitlines()
        assert lines[0] == "epoch,mse,mae,val_mse,val_mae"
        assert [int(line.split(",")[0]) for line in lines[1:]] == list(range(1, epochs + 1))


def test_the_summary_is_for_scripts_and_for_people(book_run: Run) -> None:
    summary = book_run.summary
    json.dumps(asdict(summary), allow_nan=False)
    manifest = read_manifest(book_run.folder)
    assert summary.quantized.sha256 == manifest.files["sine_model_quantized.tflite"].sha256
    text = "\n".join(summary.lines())
    assert f"difference is {summary.lite.bytes - summary.quantized.bytes} bytes" in text
    assert ("larger, not smaller" in text) == (summary.quantized.bytes > summary.lite.bytes)
    assert "hidden_2 (Dense)" in summary.model_summaries["model_2"]


def test_progress_reaches_the_end_of_both_models(book_run: Run) -> None:
    last = {model: (epoch, epochs) for model, epoch, epochs, _ in book_run.progress.epochs}
    assert last == {"model_1": (1000, 1000), "model_2": (600, 600)}
    assert book_run.progress.stages == ["evaluating and converting", "drawing plots"]


def test_the_keras_trainer_fills_the_same_folder(
    short_recipe: Callable[..., Recipe], tmp_path: Path, recorder: Recorder
) -> None:
    summary = train(short_recipe(epochs=2), tmp_path, "keras", recorder)
    assert {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()} == NAMES
    assert read_manifest(tmp_path).trainer == summary.trainer == "keras"
    heard = {(model, epoch) for model, epoch, *_ in recorder.epochs}
    assert heard == {(model, epoch) for model in ("model_1", "model_2") for epoch in (1, 2)}


def test_an_unknown_trainer_is_refused(tmp_path: Path, recorder: Recorder) -> None:
    with pytest.raises(UsageError, match="no trainer 'sklearn'"):
        train(BOOK, tmp_path, "sklearn", recorder)


def test_a_bench_rig_is_told_what_training_needs(
    tmp_path: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(ToolError, match="tensorflow is not installed") as found:
        train(BOOK, tmp_path, "portable", recorder)
    assert "sinehil[train]" in found.value.next_step


def test_importing_the_pipeline_imports_nothing_heavy() -> None:
    program = (
        "import sys, sinehil_pipeline.run\n"
        "print({'tensorflow', 'keras', 'matplotlib', 'ai_edge_litert'} & set(sys.modules))"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert found.stdout == "set()\n"
