"""The stages that several commands share."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from sinehil.base import manifest
from sinehil.base.console import Console, Stage
from sinehil.board.device import Device
from sinehil.board.trace import Trace
from sinehil.board.transport import SerialTransport
from sinehil.errors import ArtefactError, UsageError
from sinehil.jobs.firmware import recorded_size
from sinehil.model.interpreters import open_oracle
from sinehil.model.targets import NO_MANIFEST, Aim, aim_of
from sinehil.model.tflite import QuantizedModel, load_quantized_model
from sinehil.report import summary_lines
from sinehil.verify import probes
from sinehil.verify import sampled_inputs as wide
from sinehil.verify.cost import measure_cycles, read_counters
from sinehil.verify.mode import Mode, Verdict
from sinehil.verify.result import VerifyResult
from sinehil.verify.verification import Expected, Inputs, Sample, verify

STREAMED_SAMPLES = 20


def load_model(artifacts: Path, model: Path | None) -> QuantizedModel:
    """Return the model a command works on: ``--model``, else the artefact folder's, checked against its manifest."""
    if model is not None:
        return load_quantized_model(model)
    listed = manifest.read_manifest(artifacts)
    return load_quantized_model(manifest.checked_file(artifacts, listed, manifest.QUANTIZED_MODEL))


def load_aim(artifacts: Path, model: Path | None, loaded: QuantizedModel) -> Aim:
    """Return what the model was made to compute: the artefact folder's manifest says it, or one beside ``--model``."""
    if model is None:
        return aim_of(manifest.read_manifest(artifacts).recipe)
    try:
        beside = manifest.read_manifest(model.parent)
    except ArtefactError:
        return NO_MANIFEST
    entry = beside.files.get(model.name)
    return NO_MANIFEST if entry is None or entry.sha256 != loaded.sha256 else aim_of(beside.recipe)


def probe_inputs(
    mode: Mode, samples: int | None, seed: int, expected: Expected, aim: Aim, artifacts: Path
) -> Inputs:
    """Return the inputs of a mode; ``samples`` None is as many as the mode has of its own."""
    if mode is Mode.EXHAUSTIVE:
        return _deciding_inputs(samples, seed, expected, aim)
    if mode is Mode.SAMPLES:
        return _streamed_inputs(samples or STREAMED_SAMPLES, seed, expected.model, aim)
    listed = manifest.read_manifest(artifacts)
    return Inputs(mode, probes.test_set(manifest.checked_file(artifacts, listed, manifest.SAMPLES)), aim)


def _deciding_inputs(samples: int | None, seed: int, expected: Expected, aim: Aim) -> Inputs:
    """Return everything that decides a model with one input; of one with several, seeded samples and the floats."""
    model, oracle = expected.model, expected.oracle
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
    folder_of: Callable[[str], Path],
    on_sample: Callable[[Sample], None] | None = None,
    progress: Callable[[int], None] | None = None,
    trace: Trace | None = None,
) -> VerifyResult:
    """Verify the board on ``port``, ask it for cycles and counters, and add the size of its engine's image.

    ``folder_of`` says where an image with the named engine was built, ``trace`` takes note of every frame.
    """
    interpreter = open_oracle(expected.oracle, expected.model)
    with SerialTransport(port) as transport:
        device = Device(transport, trace=trace)
        result = verify(device, expected, interpreter, inputs, on_sample, progress)
        cycles, counters = measure_cycles(device), read_counters(device)
    size = recorded_size(folder_of(result.identity.engine))
    return replace(result, cycles=cycles, counters=counters, firmware=size)


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
