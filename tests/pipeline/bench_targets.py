"""Print how near `precise` comes to each target: `python tests/pipeline/bench_targets.py [TARGET ...]`."""

import sys
import tempfile
import time
from pathlib import Path

from sinehil.base.workers import Silence
from sinehil.model.targets import TARGETS
from sinehil_pipeline.recipes import load_recipe, parse_override
from sinehil_pipeline.run import train


def main() -> None:
    sys.stdout.write("| target | largest error over every x | its scales allow | validation mse |\n")
    sys.stdout.write("|---|---|---|---|\n")
    for name in sys.argv[1:] or TARGETS:
        recipe = load_recipe("precise", [parse_override(f"data.target={name}")])
        began_s = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            summary = train(recipe, Path(folder), "portable", Silence())
        found, mse = summary.every_x, summary.tries[-1].val_mse
        assert found is not None
        sys.stdout.write(f"| {name} | {found.max_abs_error:.4f} | {found.floor:.4f} | {mse:.5f} |\n")
        sys.stdout.flush()
        sys.stderr.write(f"{name}: {time.monotonic() - began_s:.0f} s\n")


if __name__ == "__main__":
    main()
