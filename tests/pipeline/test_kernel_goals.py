"""What the kernels for the trained models may cost; bytes and cycles are counted, so they are the same everywhere."""

from pathlib import Path

from training_runs import Run

from sinehil.model.tflite import load_quantized_model
from sinehil_kernels import generate_kernel
from sinehil_kernels.generated import Figures


def size_figures(folder: Path) -> Figures:
    """Return what the smallest kernel for a training's model costs."""
    model = load_quantized_model(folder / "sine_model_quantized.tflite")
    figures = generate_kernel(model, optimize="size").figures
    assert figures is not None
    return figures


def test_the_smallest_kernel_for_the_books_model_keeps_to_its_goals(book_run: Run) -> None:
    figures = size_figures(book_run.folder)
    assert figures.flash_bytes <= 450
    assert figures.mean_cycles == figures.worst_cycles <= 6600
    assert figures.stack_bytes <= 40
