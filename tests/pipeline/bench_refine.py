"""Print what the refinement makes of .tflite files: `python tests/pipeline/bench_refine.py sin=FILE cos=FILE ...`."""

import sys
import time
from pathlib import Path

from sinehil.model.targets import TARGETS
from sinehil_pipeline.refinement.refine import RefineSettings, refine


def main() -> None:
    sys.stdout.write("target     start    refined  floor    refined/floor  evaluations  CPU s\n")
    for argument in sys.argv[1:]:
        name, _, path = argument.partition("=")
        began_s = time.process_time()
        found = refine(Path(path).read_bytes(), TARGETS[name], RefineSettings(), name=path)
        spent_s = time.process_time() - began_s
        errors = f"{found.start_error:.5f}  {found.max_abs_error:.5f}  {found.floor:.5f}"
        ratio = found.max_abs_error / found.floor
        sys.stdout.write(f"{name:9}  {errors}  {ratio:13.3f}  {found.evaluations:11}  {spent_s:5.1f}\n")


if __name__ == "__main__":
    main()
