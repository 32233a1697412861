"""The stages that several commands share; here, and only here, the bench side meets the pipeline."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from sinehil import manifest
from sinehil.arduino import ArduinoEnvironment, Firmware, compile_sketch, prepare_environment, stage_sketch
from sinehil.bench import measure_cycles
from sinehil.console import Console
from sinehil.device import Device
from sinehil.errors import ArtefactError, UsageError
from sinehil.files import write_atomically
from sinehil.oracle import LitertOracle
from sinehil.report import summary_lines
from sinehil.targets import NO_MANIFEST, Aim, aim_of
from sinehil.tflite_model import QuantizedModel, load_quantized_model
from sinehil.transport import SerialTransport
from sinehil.verify import probes
from sinehil.verify.mode import Mode, Verdict
from sinehil.verify.result import FirmwareSize, VerifyResult
from sinehil.verify.run import Expected, Inputs, Sample, verify
from sinehil_pipeline.codegen import GeneratedKernel, check_kernel_on_host, generate_kernel

ORACLES = ("litert",)
BUILD_RECORD = "firmware.json"


@dataclass(frozen=True)
class BuildRecord:
    """What was compiled, kept beside the image so that a report can name its size."""

    model_sha256: str
    oracle: str
    engine: str
    fqbn: str
    hex: str
    flash_bytes: int
    flash_max_bytes: int
    ram_bytes: int
    ram_max_bytes: int


@dataclass(frozen=True)
class Built:
    """A compiled image, the folder it lies in, what uploads it, and what a board that runs it says of itself."""

    expected: Expected
    folder: Path
    environment: ArduinoEnvironment
    firmware: Firmware


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


def check_oracle(oracle: str) -> None:
    """Refuse an oracle that is not built yet."""
    if oracle not in ORACLES:
        raise UsageError(f"there is no oracle {oracle!r}", f"choose one of: {', '.join(ORACLES)}")


def build_folder(build: Path, fqbn: str, model: QuantizedModel, oracle: str) -> Path:
    """Return a folder of its own for each board, oracle and model."""
    return build / f"{fqbn.replace(':', '.')}-{oracle}-{model.sha256[:12]}"


def expectation(model: QuantizedModel, oracle: str) -> Expected:
    """Return what a board that holds ``model`` must say of itself."""
    return Expected(model, oracle, generate_kernel(model, oracle).weights_crc32)


def make_kernel(model: QuantizedModel, oracle: str) -> GeneratedKernel:
    """Generate the kernel and hold it against the interpreter on this machine."""
    kernel = generate_kernel(model, oracle)
    check_kernel_on_host(kernel, model)
    return kernel


def compile_firmware(console: Console, model: QuantizedModel, oracle: str, fqbn: str, build: Path) -> Built:
    """Generate, check, stage and compile; two lines of talk."""
    with console.stage("kernel") as stage:
        kernel = make_kernel(model, oracle)
        stage.note = f"C for {len(model.layers)} layers, equal to {oracle} on every code and quantiser step"
    with console.stage("compile") as stage:
        environment = prepare_environment(lambda text: stage.update(text, None))
        folder = build_folder(build, fqbn, model, oracle)
        sketch = stage_sketch(kernel.source, folder)
        firmware = compile_sketch(environment, sketch, fqbn, folder / "out")
        write_record(folder, model, oracle, firmware)
        stage.note = (
            f"{firmware.flash_bytes} of {firmware.flash_max_bytes} bytes flash, "
            f"{firmware.ram_bytes} of {firmware.ram_max_bytes} bytes RAM"
        )
    return Built(Expected(model, oracle, kernel.weights_crc32), folder, environment, firmware)


def write_record(folder: Path, model: QuantizedModel, oracle: str, firmware: Firmware) -> None:
    """Keep the sizes of an image beside it."""
    record = BuildRecord(
        model_sha256=model.sha256,
        oracle=oracle,
        engine="generated",
        fqbn=firmware.fqbn,
        hex=firmware.hex.name,
        flash_bytes=firmware.flash_bytes,
        flash_max_bytes=firmware.flash_max_bytes,
        ram_bytes=firmware.ram_bytes,
        ram_max_bytes=firmware.ram_max_bytes,
    )
    write_atomically(folder / BUILD_RECORD, (json.dumps(asdict(record), indent=1) + "\n").encode())


def recorded_size(folder: Path) -> FirmwareSize | None:
    """Return the size of the image compiled in ``folder``, or None if this machine compiled none."""
    try:
        record = json.loads((folder / BUILD_RECORD).read_bytes())
        return FirmwareSize(*(int(record[name]) for name in FirmwareSize.__dataclass_fields__))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def probe_inputs(mode: Mode, samples: int, model: QuantizedModel, aim: Aim, artifacts: Path) -> Inputs:
    """Return the inputs of a mode."""
    if mode is Mode.EXHAUSTIVE:
        return Inputs(mode, probes.exhaustive_floats(model.input, aim.target), aim)
    if mode is Mode.SAMPLES:
        low, high = probes.input_range(model.input, aim.target)
        return Inputs(mode, probes.evenly_spaced(samples, low, high), aim)
    listed = manifest.read_manifest(artifacts)
    return Inputs(mode, probes.test_set(manifest.checked_file(artifacts, listed, manifest.SAMPLES)), aim)


def verify_port(
    port: str,
    expected: Expected,
    inputs: Inputs,
    folder: Path,
    on_sample: Callable[[Sample], None] | None = None,
) -> VerifyResult:
    """Verify the board on ``port``, let it count its cycles, and add the size of the image built in ``folder``."""
    interpreter = LitertOracle(expected.model)
    with SerialTransport(port) as transport:
        device = Device(transport)
        result = verify(device, expected, interpreter, inputs, on_sample)
        cycles = measure_cycles(device)
    return replace(result, cycles=cycles, firmware=recorded_size(folder))


def say_summary(console: Console, result: VerifyResult) -> None:
    """Print what a verification found, the verdict in colour."""
    console.say()
    for line in summary_lines(result):
        colour = "green" if result.verdict is Verdict.PASS else "red"
        console.say(line, style=f"bold {colour}" if line.startswith(result.verdict) else "")
