"""training.html, held against the artefacts beside it."""

import csv
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.html_page import HOSTILE, PHONE_WIDTH, Page, chromium, on_a_phone
from training_runs import Recorder, Run

from sinehil.base.manifest import read_manifest
from sinehil.model.arrays import Float32s, Float64s
from sinehil.model.tflite import load_quantized_model
from sinehil.report.number_text import float32_text
from sinehil_kernels import generate_kernel
from sinehil_pipeline.config import Recipe
from sinehil_pipeline.conversion.evaluation import run_interpreter
from sinehil_pipeline.page import page_tables, plot_style
from sinehil_pipeline.recipes import load_recipe
from sinehil_pipeline.run import train
from sinehil_pipeline.training.curves import drawable, fixed_order_y, grid_x

BOOK = load_recipe("book")


@pytest.fixture(scope="module")
def source(book_run: Run) -> str:
    return (book_run.folder / "training.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def rows(source: str) -> list[list[str]]:
    """Each table row's texts, without what is between them."""
    found = re.findall(r"<tr>(.*?)</tr>", source, re.DOTALL)
    cells = (re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in found)
    return [[Page(f"<p>{cell}</p>").text for cell in row] for row in cells]


def values_beside(rows: list[list[str]], head: str) -> list[list[str]]:
    return [row[1:] for row in rows if row[0] == head]


def test_the_page_is_whole_and_loads_nothing(source: str) -> None:
    page = Page(source)
    assert page.loads() == []
    assert not re.search(r"url\(|@import|https?:", source)
    identifiers = [value for key, value in page.attributes if key == "id"]
    assert len(identifiers) == len(set(identifiers))
    assert page.tags.count("title") > page.tags.count("desc") == 2 * page.tags.count("figure") == 16


def test_every_file_stands_there_with_its_hash(book_run: Run, rows: list[list[str]]) -> None:
    files = read_manifest(book_run.folder).files
    listed = {row[0]: row[1:] for row in rows if len(row) == 3 and len(row[2]) == 64}
    assert set(listed) == set(files) - {"training.html"}
    for name, (size, sha256) in listed.items():
        assert (size, sha256) == (f"{files[name].bytes:,}", files[name].sha256)


def test_recipe_metrics_tries_and_versions_are_the_manifests(book_run: Run, rows: list[list[str]]) -> None:
    manifest = read_manifest(book_run.folder)
    for _, facts in page_tables.recipe_tables(manifest.recipe):
        assert all([value] in values_beside(rows, name) for name, value in facts)
    for name, version in manifest.versions.items():
        assert [version] in values_beside(rows, name)
    for number, item in enumerate(manifest.tries, 1):
        assert values_beside(rows, f"try {number}")[0][:2] == [str(item.seed), f"{item.val_mse:.5f}"]
    test = json.loads((book_run.folder / "metrics.json").read_text())["test"]
    for model, forms in test.items():
        for form, found in forms.items():
            shown = {"keras": "Keras", "litert_float": "LiteRT float32", "litert_quantized": "LiteRT int8"}[
                form
            ]
            names = ("mse", "mae", "max_abs_error", "max_abs_error_to_sine")
            assert values_beside(rows, f"{model} {shown}") == [[f"{found[name]:.5f}" for name in names]]


def test_the_models_summaries_are_those_of_keras(book_run: Run, source: str) -> None:
    shown = [
        Page(f"<p>{text}</p>").text.strip()
        for text in re.findall(r"<pre.*?>\n(.*?)</pre>", source, re.DOTALL)
    ]
    assert shown == [
        (book_run.folder / name / "summary.txt").read_text().strip() for name in ("model_1", "model_2")
    ]


def test_the_quantisation_is_the_files(book_run: Run, rows: list[list[str]], source: str) -> None:
    model = load_quantized_model(book_run.folder / "sine_model_quantized.tflite")
    for head, found in (("x input", model.input), ("y output", model.output)):
        scale, zero_point, low, high = values_beside(rows, head)[0]
        assert (scale, zero_point) == (float32_text(found.scale), str(found.zero_point))
        ends = [(code - found.zero_point) * float(found.scale) for code in (-128, 127)]
        assert [float(low), float(high)] == pytest.approx(ends, abs=5e-3)
    for layer in model.layers:
        assert ", ".join(map(float32_text, layer.weight_scales)) in source
        assert values_beside(rows, "layer 1 output")[0][0] == float32_text(model.layers[0].output.scale)


def test_sizes_are_those_of_the_files_and_of_true_conversions(book_run: Run, rows: list[list[str]]) -> None:
    model = load_quantized_model(book_run.folder / "sine_model_quantized.tflite")
    kernel = generate_kernel(model)
    sizes = {row[0]: int(row[1].replace(",", "")) for row in rows if len(row) == 4 and row[2].endswith("%")}
    files = {name: entry.bytes for name, entry in read_manifest(book_run.folder).files.items()}
    own, tensor, int8, int8_tensor = (
        sizes.pop(name) for name in list(sizes) if name.startswith("int8 .tflite")
    )
    assert own == files["sine_model_quantized.tflite"]
    assert own > tensor and int8 > int8_tensor, "a scale less for each neuron"
    assert own - int8 == tensor - int8_tensor > 0, "no QUANTIZE and DEQUANTIZE"
    assert list(sizes.values()) == [
        files["sine_model.tflite"],
        files["sine_model_quantized.cc"],
        len(kernel.source.encode()),
        kernel.constant_bytes,
    ]


def path_points(source: str, figure: str, css: str) -> Float64s:
    """Read a drawn curve back in data units, shape [n, 2], by the picture's own ticks."""
    picture = source[source.index(f'aria-labelledby="{figure}-t') :].partition("</svg>")[0]
    path = re.search(rf'<path class="{css}" d="([^"]+)"', picture)
    assert path
    drawn = np.array(re.findall(r"[ML](\S+?) ([^ML]+)", path[1]), np.float64)
    ticks = re.findall(r'<text class="tick (mid|end)" x="(\S+)" y="(\S+)">([^<]+)</text>', picture)
    angles = {"0": 0.0, "π/2": np.pi / 2, "π": np.pi, "3π/2": 1.5 * np.pi, "2π": 2 * np.pi}
    x_ticks = [(float(x), angles[text]) for kind, x, _, text in ticks if kind == "mid"]
    y_ticks = [
        (float(y) - 4, float(text.replace("\u2212", "-"))) for kind, _, y, text in ticks if kind == "end"
    ]
    lines = (np.polynomial.Polynomial.fit(*np.transpose(pairs), 1) for pairs in (x_ticks, y_ticks))
    return np.stack([line(column) for line, column in zip(lines, drawn.T, strict=True)], axis=1)


def worst_beside(points: Float64s, y: Float32s) -> float:
    """Return how far drawn errors are from those of ``y`` over the grid, at most."""
    x = grid_x(BOOK).astype(np.float64)
    nearest = np.abs(points[:, :1] - x).argmin(axis=1)
    assert len(set(nearest.tolist())) > len(x) / 2
    return float(np.abs(points[:, 1] - (y - np.sin(x))[nearest]).max())


@pytest.mark.parametrize(
    ("css", "name", "other"),
    [
        ("int8 fine", "sine_model_quantized.tflite", "sine_model.tflite"),
        ("lite fine", "sine_model.tflite", "sine_model_quantized.tflite"),
        ("keras fine", "sine_model.tflite", "sine_model_quantized.tflite"),
    ],
)
def test_drawn_errors_are_what_the_interpreter_says(
    book_run: Run, source: str, css: str, name: str, other: str
) -> None:
    points = path_points(source, "final-errors-w", css)
    right, wrong = (
        run_interpreter((book_run.folder / file).read_bytes(), grid_x(BOOK)) for file in (name, other)
    )
    assert worst_beside(points, right) < 1e-3
    assert worst_beside(points, wrong) > 1e-2


@pytest.mark.parametrize(("model", "name"), [("baseline", "model_1"), ("final", "model_2")])
def test_learning_curves_are_the_histories(book_run: Run, source: str, model: str, name: str) -> None:
    with (book_run.folder / name / "history.csv").open() as file:
        history = list(csv.DictReader(file))
    for unit in ("mse", "mae"):
        for key in (unit, f"val_{unit}"):
            assert f"{float(history[-1][key]):.3g}" in source
        picture = source[source.index(f'aria-labelledby="{model}-{unit}-w-t') :].partition("</svg>")[0]
        assert picture.count("<path") == 2


def test_a_runtime_that_disagrees_is_drawn_as_it_is() -> None:
    fixed = np.array([0.123456, -0.5, 0.25], np.float32)
    nearly = np.nextafter(fixed, np.float32(9))
    assert np.array_equal(drawable(nearly, fixed), fixed.astype(np.float64))
    assert drawable(nearly + np.float32([0, 0.0123, 0]), fixed)[1] == -0.488


def test_the_fixed_order_is_that_of_the_model() -> None:
    stream = np.random.RandomState(1)
    shapes = ((1, 5), (5,), (5, 3), (3,), (3, 1), (1,))
    weights = [stream.standard_normal(shape).astype(np.float32) for shape in shapes]
    value = grid_x(BOOK)[:, None].astype(np.float64)
    for number in (0, 2, 4):
        value = value @ weights[number] + weights[number + 1]
        value = value if number == 4 else np.maximum(value, 0)
    np.testing.assert_allclose(fixed_order_y(weights, grid_x(BOOK), "relu"), value[:, 0], atol=1e-4)


def test_new_fields_of_a_recipe_show_up_by_themselves() -> None:
    recipe = {
        "new_field": True,
        "layers": [{"width": 3}, {"width": 4}],
        "group": {"rate": 1e-3, "none": None},
    }
    assert page_tables.recipe_tables(recipe) == [
        ("in general", [("new field", "yes"), ("layers", "width 3, width 4")]),
        ("group", [("rate", "0.001"), ("none", "none")]),
    ]


def test_the_colours_are_those_of_the_plots(source: str) -> None:
    for name in ("blue", "orange", "green", "vermilion"):
        assert f"--{name}: {getattr(plot_style, name.upper())};" in source


@pytest.mark.slow
def test_a_hostile_recipe_is_text_also_in_a_browser(
    short_recipe: Callable[..., Recipe], tmp_path: Path, recorder: Recorder
) -> None:
    recipe = replace(short_recipe(), name=HOSTILE)
    train(recipe, tmp_path / "run", "portable", recorder)
    path = tmp_path / "run" / "training.html"
    page = Page(path.read_text(encoding="utf-8"))
    assert page.loads() == []
    assert page.text.count("<script>document.title='owned'</script>") == 2
    assert "\\x00\\x1b\\u202e\\udc80" in page.text
    dom = Page(chromium("--dump-dom", path.as_uri(), profile=tmp_path / "profile"))
    assert not {"script", "img"} & set(dom.tags)
    assert dom.text.lstrip().startswith(f"{load_recipe('book').final.name} from seed ")
    bare = tmp_path / "bare.html"
    bare.write_text(f"<!doctype html><title>x</title><p>{HOSTILE[:-1]}</p>", encoding="utf-8")
    assert "<title>owned</title>" in chromium("--dump-dom", bare.as_uri(), profile=tmp_path / "other")


@pytest.mark.slow
def test_a_phone_needs_no_sideways_scrolling_and_the_style_applies(source: str, tmp_path: Path) -> None:
    page = tmp_path / "training.html"
    page.write_text(source, encoding="utf-8")
    width, margin = on_a_phone(page)
    assert width <= PHONE_WIDTH and margin == "0px"
    page.write_text(source.replace("<main>", '<main><p style="width: 500px">x</p>'))
    assert on_a_phone(page)[0] <= PHONE_WIDTH, "the policy lets no foreign style in"
    page.write_text(source.replace("<main>", '<main><canvas width="500"></canvas>'))
    assert on_a_phone(page)[0] > PHONE_WIDTH, "what is too wide must be noticed"
