"""Fuzz everything that reads foreign bytes, for long: ``make fuzz``; prints a table.

    .venv/bin/python tests/fuzz/run.py [--only NAME] [--runs N | --seconds S] [--keep]

Equal runs give equal results for the firmware's targets; what breaks one is printed as a line for the corpus, where
the tests replay it. ``--keep`` puts what reaches new code into the corpus, minimised.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path += [str(HERE), str(HERE.parent / "kernels")]

import targets  # noqa: E402

from firmware import SHAPES  # noqa: E402

COVERED = ("protocol.cpp", "commands.cpp", "crc32.c", "float_io.c")
MOST_KEPT, LONGEST_KEPT = 40, 700
ROW = "| {:<14} | {:>11} | {:>6} | {:>8} | {:>5} | {:>7} | {} |"


def main() -> int:
    options = _options()
    sys.stdout.write(
        ROW.format("target", "executions", "edges", "features", "s", "crashes", "lines reached") + "\n"
    )
    sys.stdout.write(ROW.format("-" * 14, *["---:"] * 5, "---") + "\n")
    broken = 0
    for name in options.only or targets.NAMES:
        with tempfile.TemporaryDirectory() as folder:
            broken += _fuzzed(name, Path(folder), options)
    return 1 if broken else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Fuzz everything that reads foreign bytes.")
    parser.add_argument("--only", choices=targets.NAMES, action="append")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--runs", type=int, help="executions of each target")
    length.add_argument("--seconds", type=int, default=90, help="time for each target (default 90)")
    parser.add_argument("--keep", action="store_true", help="renew the corpus")
    return parser.parse_args()


def _fuzzed(name: str, folder: Path, options: argparse.Namespace) -> bool:
    length = f"-runs={options.runs}" if options.runs else f"-max_total_time={options.seconds}"
    words = targets.command(name, folder)
    started = time.monotonic()
    found = targets.run(words, name, folder, length)
    lines = _lines_reached(name, folder) if name in SHAPES else ""
    row = (
        f"{found.executions:,}",
        f"{found.edges:,}",
        f"{found.features:,}",
        f"{time.monotonic() - started:.0f}",
    )
    sys.stdout.write(ROW.format(name, *row, int(found.crash is not None), lines) + "\n")
    sys.stdout.flush()
    if found.crash is not None:
        kept = [*targets.corpus(name), found.crash]
        sys.stdout.write(f"{found.words[-3000:]}\nbroken by {found.crash!r}, now in the corpus of {name}\n")
        targets.save_corpus(name, kept)
        return True
    if options.keep:
        _keep(words, name, folder)
    return False


def _keep(words: list[str], name: str, folder: Path) -> None:
    """Add to the corpus what reaches new edges: minimised for the firmware, a few of the smallest for a reader.

    What is in it already stays: it may be what once broke a target.
    """
    found = folder / "corpus"
    if name in SHAPES:
        merged = folder / "merged"
        merged.mkdir()
        subprocess.run(
            [*words, "-merge=1", "-use_counters=0", str(merged), str(found)], check=True, capture_output=True
        )
        found = merged
    inputs = sorted((path.read_bytes() for path in found.iterdir()), key=len)
    small = [data for data in inputs if len(data) <= LONGEST_KEPT]
    step = max(1, len(small) // MOST_KEPT)
    targets.save_corpus(name, [*targets.corpus(name), *small[::step][:MOST_KEPT]])


def _lines_reached(name: str, folder: Path) -> str:
    """Return which share of each source's lines the corpus reaches; empty without LLVM's tools."""
    tools = [shutil.which(tool) for tool in ("llvm-profdata-14", "llvm-cov-14")]
    if None in tools:
        return ""
    profdata, cov = map(str, tools)
    program = targets.command(name, folder / "covered", coverage=True)[0]
    raw, profile = folder / "raw", folder / "profile"
    subprocess.run(
        [program, str(folder / "corpus"), "-runs=0"],
        env={"LLVM_PROFILE_FILE": str(raw)},
        check=True,
        capture_output=True,
        cwd=folder,
    )
    subprocess.run([profdata, "merge", "-sparse", raw, "-o", profile], check=True)
    report = subprocess.run(
        [cov, "report", program, f"-instr-profile={profile}"], check=True, capture_output=True, text=True
    ).stdout
    shares = {
        Path(row.split()[0]).name: row.split()[9]
        for row in report.splitlines()
        if re.match(r"\S+\.(c|cpp|h)\s", row)
    }
    return ", ".join(f"{source} {shares[source]}" for source in COVERED if source in shares)


if __name__ == "__main__":
    sys.exit(main())
