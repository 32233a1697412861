"""Verify the board on a port: which inputs a mode sends, the run itself, and what is said of it."""

from collections.abc import Callable
from dataclasses import replace

from sinehil.base.console import Console, Stage
from sinehil.board.device import Device
from sinehil.board.trace import TraceSink
from sinehil.board.transport import SerialTransport
from sinehil.errors import UsageError
from sinehil.jobs.firmware import expectation, recorded_size
from sinehil.jobs.selection import Selection
from sinehil.model.interpreters import open_oracle
from sinehil.model.targets import Aim
from sinehil.model.tflite import QuantizedModel
from sinehil.report import summary_lines
from sinehil.verify import Mode, Verdict, probes
from sinehil.verify import sampled_inputs as wide
from sinehil.verify.board_measurements import measure_cycles, read_counters
from sinehil.verify.comparison import Expected, Inputs, Sample, verify
from sinehil.verify.result import VerifyResult

STREAMED_SAMPLES = 20


def probe_inputs(selection: Selection, mode: Mode, samples: int | None, seed: int) -> Inputs:
    """Return the inputs of a mode; ``samples`` None is as many as the mode has of its own."""
    if mode is Mode.EXHAUSTIVE:
        return _deciding_inputs(selection, samples, seed)
    if mode is Mode.SAMPLES:
        return _streamed_inputs(samples or STREAMED_SAMPLES, seed, selection.model, selection.aim)
    return Inputs(mode, probes.test_set(selection.test_samples()), selection.aim)


def _deciding_inputs(selection: Selection, samples: int | None, seed: int) -> Inputs:
    """Return everything that decides a model with one input; of one with several, seeded samples and the floats."""
    model, oracle, aim = selection.model, selection.oracle, selection.aim
    if model.inputs == 1:
        floats = probes.exhaustive_floats(model.input, aim.target, oracle)
        return Inputs(Mode.EXHAUSTIVE, floats, aim, probes.all_codes())
    count = wide.MIN_SAMPLES if samples is None else samples
    if count < wide.MIN_SAMPLES:
        raise UsageError(
            f"--samples {count} is too few for a model with {model.inputs} inputs",
            f"give at least {wide.MIN_SAMPLES}, or add --mode samples",
        )
    codes = wide.sampled_codes(model.inputs, model.input.zero_point, count, seed)
    return Inputs(Mode.EXHAUSTIVE, wide.float_probes(model, oracle, seed), aim, codes, seed)


def _streamed_inputs(samples: int, seed: int, model: QuantizedModel, aim: Aim) -> Inputs:
    if model.inputs > 1:
        return Inputs(
            Mode.SAMPLES, wide.float_samples(model.input, model.inputs, samples, seed), aim, seed=seed
        )
    low, high = probes.input_range(model.input, aim.target)
    return Inputs(Mode.SAMPLES, probes.evenly_spaced(samples, low, high), aim)


def verify_port(
    port: str,
    expected: Expected,
    inputs: Inputs,
    on_sample: Callable[[Sample], None] | None = None,
    progress: Callable[[int], None] | None = None,
    trace: TraceSink | None = None,
) -> VerifyResult:
    """Verify the board on ``port``, and ask it for cycles and counters; ``trace`` takes note of every frame."""
    interpreter = open_oracle(expected.oracle, expected.model)
    with SerialTransport(port) as transport:
        device = Device(transport, trace=trace)
        result = verify(device, expected, interpreter, inputs, on_sample, progress)
        cycles, counters = measure_cycles(device), read_counters(device)
    return replace(result, cycles=cycles, counters=counters)


def verify_flashed(
    port: str,
    selection: Selection,
    inputs: Inputs,
    on_sample: Callable[[Sample], None] | None = None,
    progress: Callable[[int], None] | None = None,
    trace: TraceSink | None = None,
) -> VerifyResult:
    """Verify a board that an earlier run flashed; the image's size is what that run recorded, if it was here."""
    expected = expectation(selection.model, selection.oracle)
    result = verify_port(port, expected, inputs, on_sample, progress, trace)
    return replace(result, firmware=recorded_size(selection.build_folder(result.identity.engine)))


def shown_progress(stage: Stage, samples: int) -> Callable[[int], None]:
    """Return what shows on ``stage`` how many of the samples are done."""
    done = 0

    def show(more: int) -> None:
        nonlocal done
        done += more
        stage.update(f"{done:,} of {samples:,} samples", done / samples)

    return show


def say_summary(console: Console, result: VerifyResult) -> None:
    """Print what a verification found, the verdict in colour."""
    console.say()
    for line in summary_lines(result):
        colour = "green" if result.verdict is Verdict.PASS else "red"
        console.say(line, style=f"bold {colour}" if line.startswith(result.verdict) else "")
