"""Random nets on a simulated Uno, whichever kernel: codes, floats, checksum and cycles against the real interpreter.

    python tests/kernels/chip_nets.py --nets 30 [--first SEED] [--engine speed ...] [--oracle tflm ...] [--jobs 2]

tries ``--nets`` nets with each engine, the oracles in turn (seed modulo three, or the one that is given), prints each
failure by its seed, which ``--first SEED --nets 1`` tries again, and ends with status 1 if there is any. Models with
one input get all 256 codes and every step of the quantiser, others seeded samples and corners. A kernel in assembly
also runs in ``Machine``, whose cycles must be the simulator's for every input; with ``--machine`` only there.
"""

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
from avr_tools import AvrRun, build_simulator, compile_shared, flash_image, run_image
from random_nets import any_net

from sinehil.errors import ArtefactError
from sinehil.model.arithmetic import ORACLES
from sinehil.model.arrays import Codes, Float32s
from sinehil.model.interpreters import open_oracle
from sinehil.model.tflite import QuantizedModel
from sinehil_kernels import GeneratedKernel, generate_kernel
from sinehil_kernels.avr.machine import Machine
from sinehil_kernels.avr.trial import trial_codes
from sinehil_kernels.check import sample_floats

WIDEST: Mapping[str, int] = {"portable": 40, "size": 24, "speed": 10, "table": 16}
SAMPLES = 48  # of a model with several inputs
FLASH_OF_SAMPLES = 4000  # bytes for its float inputs
LARGEST_CORE = 22_000  # bytes; what else is in the image needs the rest of 32 kB
SLOW_S = 20.0
PROGRESS = 40  # a line each so many nets
CALL_CYCLES = range(6, 25)  # call, return, and the loading of two arguments
EQUAL, REFUSED, TOO_LARGE, FAILED = "equal", "refused", "too large for the chip", "failed"


@dataclass(frozen=True)
class Result:
    engine: str
    oracle: str
    seed: int
    outcome: str
    seconds: float = 0.0  # of processor time that generation took
    what: str = ""
    one_input: bool = True


def try_net(engine: str, oracle: str, seed: int, machine_only: bool) -> Result:
    """Generate one kernel and run it; whatever goes wrong is a result, since the seed matters."""
    start = time.process_time()
    seconds, one_input = 0.0, True
    try:
        model = any_net(seed, widest=WIDEST[engine], one_to_one=engine == "table").model()
        one_input = model.inputs == 1
        start = time.process_time()
        try:
            kernel = generate_kernel(model, oracle, engine)
        finally:
            seconds = time.process_time() - start
        if not machine_only and kernel.core_bytes > LARGEST_CORE:
            return Result(engine, oracle, seed, TOO_LARGE, seconds, f"{kernel.core_bytes} B", one_input)
        wrong = machine_difference(kernel, model) or (
            None if machine_only else chip_difference(kernel, model)
        )
    except ArtefactError as error:
        return Result(engine, oracle, seed, REFUSED, seconds, str(error), one_input)
    except Exception as error:
        return Result(engine, oracle, seed, FAILED, seconds, f"{type(error).__name__}: {error}", one_input)
    if wrong is None and seconds > SLOW_S:
        wrong = f"generation took {seconds:.0f} s"
    return Result(engine, oracle, seed, FAILED if wrong else EQUAL, seconds, wrong or "", one_input)


def machine_difference(kernel: GeneratedKernel, model: QuantizedModel) -> str | None:
    """Return how an assembled kernel differs from the interpreter in ``Machine``, or None."""
    if kernel.program is None:
        return None
    x_q = trial_codes(model, SAMPLES)
    calls = [Machine(kernel.program).call(row, model.outputs) for row in x_q.tolist()]
    expected = open_oracle(kernel.oracle, model).predict_codes(x_q)
    wrong = np.count_nonzero(np.array([one.y_q for one in calls]) != expected)
    return f"{wrong} codes in Machine" if wrong else None


def chip_difference(kernel: GeneratedKernel, model: QuantizedModel) -> str | None:
    """Return how a kernel on the simulated chip differs from the interpreter, or None."""
    x_q = trial_codes(model, SAMPLES)
    rows = FLASH_OF_SAMPLES // (4 * model.inputs) if model.inputs > 1 else 0
    x = sample_floats(model, kernel.oracle, rows)
    run = run_on_chip(kernel, model, x_q, x)
    interpreter = open_oracle(kernel.oracle, model)
    wrong_codes = np.count_nonzero(run.codes != interpreter.predict_codes(x_q))
    y = np.ascontiguousarray(interpreter.predict(x), np.float32)
    wrong_floats = np.count_nonzero(run.y.view(np.uint32) != y.view(np.uint32))
    if wrong_codes or wrong_floats:
        return f"{wrong_codes} codes, {wrong_floats} floats"
    if run.weights_crc32 != kernel.weights_crc32:
        return "the checksum"
    return cycle_difference(kernel, model, x_q, run)


def cycle_difference(kernel: GeneratedKernel, model: QuantizedModel, x_q: Codes, run: AvrRun) -> str | None:
    """Return how the chip's cycles differ from those in ``Machine`` and in ``figures``, or None."""
    if kernel.program is None or kernel.figures is None:
        return None
    machine = Machine(kernel.program)
    counted = np.array([machine.call(row, model.outputs).cycles for row in x_q.tolist()])
    around = np.unique(run.cycles - counted)
    if len(around) != 1 or around[0] not in CALL_CYCLES:
        return f"cycles: {around.tolist()} more than in Machine"
    if model.inputs == 1 and not np.isclose(counted.mean(), kernel.figures.mean_cycles, atol=0.01):
        return f"cycles: {counted.mean():.2f} in Machine, {kernel.figures.mean_cycles:.2f} in the figures"
    return None


def run_on_chip(kernel: GeneratedKernel, model: QuantizedModel, x_q: Codes, x: Float32s) -> AvrRun:
    tools = Path(_tools().name)
    with tempfile.TemporaryDirectory(prefix="sinehil-chip-") as folder:
        shared = [tools / "crc32.o", tools / "float_io.o"]
        image = flash_image(kernel.sources, model.outputs, x_q, x, Path(folder), shared)
        return run_image(tools / "avr_runner", image, len(x_q), model.outputs)


@cache
def _tools() -> "tempfile.TemporaryDirectory[str]":
    """Return a folder with the simulator and the objects that do not change, made once a process."""
    folder = tempfile.TemporaryDirectory(prefix="sinehil-tools-")
    build_simulator(Path(folder.name))
    compile_shared(Path(folder.name))
    return folder


def _try_case(case: tuple[str, str, int, bool]) -> Result:
    return try_net(*case)


def cases(
    engines: Iterable[str], oracles: list[str], seeds: Iterable[int], machine_only: bool
) -> list[tuple[str, str, int, bool]]:
    return [
        (engine, oracles[seed % len(oracles)], seed, machine_only) for seed, engine in product(seeds, engines)
    ]


def summary(results: Iterable[Result]) -> str:
    """Return a line for each engine and oracle."""
    groups: dict[tuple[str, str], list[Result]] = {}
    for result in results:
        groups.setdefault((result.engine, result.oracle), []).append(result)
    lines = []
    for (engine, oracle), group in sorted(groups.items()):
        counts = Counter(result.outcome for result in group)
        slowest = max(group, key=lambda result: result.seconds)
        ones = sum(result.one_input and result.outcome == EQUAL for result in group)
        told = ", ".join(f"{count} {outcome}" for outcome, count in counts.most_common())
        lines.append(
            f"{engine}, {oracle}: {told}; {ones} of the equal with one input; "
            f"slowest generation {slowest.seconds:.1f} s (seed {slowest.seed})\n"
        )
    return "".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--nets", type=int, default=30, help="for each engine")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--engine", action="append", choices=WIDEST, help="may be repeated; all without it")
    parser.add_argument("--oracle", action="append", choices=ORACLES, help="may be repeated; all without it")
    parser.add_argument("--machine", action="store_true", help="no simulator: speed and size in Machine only")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    wanted = parser.parse_args()
    engines = wanted.engine or (("speed", "size") if wanted.machine else tuple(WIDEST))
    seeds = range(wanted.first, wanted.first + wanted.nets)
    results = []
    with ProcessPoolExecutor(wanted.jobs) as pool:
        every = cases(engines, list(wanted.oracle or ORACLES), seeds, wanted.machine)
        for result in pool.map(_try_case, every):
            results.append(result)
            if len(results) % PROGRESS == 0:
                say(f"{len(results)} of {len(every)} tried\n")
            if result.outcome != EQUAL:
                say(
                    f"{result.engine}, {result.oracle}, seed {result.seed}: {result.outcome}: {result.what}\n"
                )
    say(summary(results))
    failed = sum(result.outcome == FAILED for result in results)
    say(f"{failed} of {len(results)} failed\n")
    return 1 if failed else 0


def say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
