"""The notebook as a person runs it: every cell, in a kernel of its own, with the book's epoch counts."""

import hashlib
import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

from sinehil.base.folders import resource
from sinehil.model.tflite import load_quantized_model
from tests.sampling import extended

pytestmark = [pytest.mark.board, pytest.mark.slow, pytest.mark.timeout(1800)]

CELL_TIMEOUT_S = 1500
# The whole way in half a minute: nothing is learned, so the gate is wide open.
QUICK = {
    "epochs=1000": "epochs=2",
    "epochs=600": "epochs=2",
    'load_recipe("book")': 'load_recipe("book", [parse_override("gate.max_val_mse=10.0")])',
    "import load_recipe": "import load_recipe, parse_override",
}
FIGURES = """
import json
print(json.dumps({
    "val_mse_1": val_mse_1, "spread_1": float(spread_1), "val_mse_2": val_mse_2, "gate": gate.max_val_mse,
    "highest_x_test": float(highest_x(as_in_the_book)), "highest_x": float(highest_x(quantized)),
    "epochs": [len(history_1.epoch), len(history_2.epoch)], "report": report,
    "float_bytes": len(sine_model), "quantized_bytes": len(quantized),
    "forms": [[form.granularity, size] for form, size in form_sizes.items()],
    "without_delegate": int(np.count_nonzero(steps)),
}))
"""


@dataclass(frozen=True)
class Executed:
    """A notebook that ran to its end, its folder, and the figures that its kernel ended with."""

    notebook: NotebookNode
    folder: Path
    figures: dict[str, Any]


def execute(folder: Path, changes: Mapping[str, str]) -> Executed:
    """Run the shipped notebook in ``folder`` with some of its code changed; CellExecutionError if a cell fails."""
    notebook = nbformat.read(resource("pipeline/notebooks/sine_model.ipynb"), as_version=4)
    for old, new in changes.items():
        cells = [cell for cell in notebook.cells if cell.cell_type == "code" and old in cell.source]
        assert cells, old
        for cell in cells:
            cell.source = cell.source.replace(old, new)
    notebook.cells.append(nbformat.v4.new_code_cell(FIGURES))
    NotebookClient(notebook, timeout=CELL_TIMEOUT_S, resources={"metadata": {"path": str(folder)}}).execute()
    return Executed(notebook, folder, json.loads(printed(notebook.cells.pop())))


def printed(cell: NotebookNode) -> str:
    return "".join(output.text for output in cell.outputs if output.output_type == "stream")


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the boards of this test alone are listed; a short path, because there are sockets in it."""
    with tempfile.TemporaryDirectory() as name:
        monkeypatch.setenv("SINEHIL_RUNTIME", name)
        yield Path(name)


@pytest.fixture(scope="module", params=["quick", extended("book-length")])
def executed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Executed:
    changes = QUICK if request.param == "quick" else {}
    return execute(tmp_path_factory.mktemp("notebook"), changes)


BOOK_LENGTH = pytest.mark.parametrize("executed", [extended("book-length")], indirect=True)


def test_it_ends_with_a_pass_for_the_model_that_it_made(executed: Executed) -> None:
    report, sha256 = executed.figures["report"], sha256_of(executed.folder / "sine_model_quantized.tflite")
    assert (report["verdict"], report["mismatches"]) == ("PASS", 0) and report["compared"] > 512
    assert report["device"]["model_sha256"] == sha256
    said = "".join(printed(cell) for cell in executed.notebook.cells if cell.cell_type == "code")
    assert said.count(sha256) >= 2 and f"PASS: {report['compared']} compared, 0 mismatches" in said


def test_it_writes_what_the_book_writes(executed: Executed) -> None:
    assert (executed.folder / "sine_model.tflite").stat().st_size == executed.figures["float_bytes"]
    assert load_quantized_model(executed.folder / "sine_model_quantized.tflite").layers
    assert b"sine_model_quantized_tflite_len" in (executed.folder / "sine_model_quantized.cc").read_bytes()
    assert (executed.folder / "report/report.html").exists()


@BOOK_LENGTH
def test_it_trains_as_long_as_the_book(executed: Executed) -> None:
    assert executed.figures["epochs"] == [1000, 600]


@BOOK_LENGTH
def test_what_its_text_says_of_figures_is_so(executed: Executed) -> None:
    found = executed.figures
    assert (
        found["val_mse_2"] <= found["gate"] < found["val_mse_1"]
        and found["spread_1"] < found["val_mse_1"] / 5
    )
    assert found["highest_x_test"] < 6.26 and abs(found["highest_x"] - 6.2832) < 0.01
    assert found["float_bytes"] < found["quantized_bytes"]
    smaller = [
        size < found["float_bytes"] for granularity, size in found["forms"] if granularity == "per_tensor"
    ]
    assert smaller == [True, True]
    assert found["without_delegate"] > 0


def test_every_picture_is_there_and_nothing_but_talk_beside_them(executed: Executed) -> None:
    outputs = [output for cell in executed.notebook.cells for output in cell.get("outputs", [])]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 7
    assert [output.text for output in outputs if output.get("name") == "stderr"] == []


def test_its_text_names_no_figure_that_it_could_have_measured() -> None:
    notebook = nbformat.read(resource("pipeline/notebooks/sine_model.ipynb"), as_version=4)
    text = " ".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert re.findall(r"\d+\.\d{2,}|\d{4} bytes", text) == []


def test_a_model_that_learns_nothing_ends_it_at_the_gate(tmp_path: Path) -> None:
    changes = {key: QUICK[key] for key in ("epochs=1000", "epochs=600")}
    with pytest.raises(CellExecutionError, match="none of 5 seeds passed the gate"):
        execute(tmp_path, changes)


def test_another_model_on_the_board_ends_it_and_the_board(tmp_path: Path, runtime: Path) -> None:
    """The quick way passes, see above; with another model flashed it does not, and its board is gone."""
    other = 'Path("other.tflite").write_bytes(as_in_the_book)\nsinehil("flash", "--model", "other.tflite"'
    # the same indentation as the line that it replaces
    changes = QUICK | {
        'sinehil("flash", "--model", "sine_model_quantized.tflite"': other.replace("\n", "\n    ")
    }
    with pytest.raises(CellExecutionError, match="returned non-zero exit status 4"):
        execute(tmp_path, changes)
    assert list(runtime.glob("*.json")) == []


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
