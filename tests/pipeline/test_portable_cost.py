"""What the portable kernel of the book's model costs: instructions on this processor (callgrind), and bytes."""

import re
import subprocess
from pathlib import Path

import pytest
from training_runs import Run

from sinehil.base.folders import resource
from sinehil.base.manifest import QUANTIZED_MODEL
from sinehil.model.tflite import load_quantized_model
from sinehil_kernels import generate_kernel

EVERY_CODE = """
#include "sinehil_engine.h"

int main(void) {
  for (int code = -128; code < 128; ++code) {
    int8_t x_q = (int8_t)code, y_q;
    sinehil_infer(&x_q, &y_q);
  }
  return 0;
}
"""


@pytest.mark.slow
def test_an_inference_of_the_book_takes_at_most_900_instructions_and_its_constants_400_bytes(
    book_run: Run, tmp_path: Path
) -> None:
    kernel = generate_kernel(load_quantized_model(book_run.folder / QUANTIZED_MODEL))
    assert kernel.constant_bytes < 400
    count = instructions(compiled(dict(kernel.sources), tmp_path), tmp_path)
    print(f"{count:.0f} instructions")  # noqa: T201
    assert 100 < count <= 900


def compiled(sources: dict[str, str], folder: Path) -> Path:
    for name, text in {**sources, "main.c": EVERY_CODE}.items():
        (folder / name).write_text(text)
    sketch, program = resource("arduino_sketch"), folder / "program"
    files = [*folder.glob("*.c"), sketch / "crc32.c", sketch / "float_io.c"]
    command = ["cc", "-O3", "-std=gnu11", "-I", sketch, *files, "-o", program, "-lm"]
    subprocess.run([str(word) for word in command], check=True)
    return program


def instructions(program: Path, folder: Path) -> float:
    """Return the instructions of one inference, the mean over all codes."""
    output = f"--callgrind-out-file={folder}/callgrind.out"
    command = ["valgrind", "--tool=callgrind", "--toggle-collect=sinehil_infer", output, str(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    collected = re.search(r"Collected : (\d+)", done.stderr)
    assert collected is not None, done.stderr
    return int(collected[1]) / 256
