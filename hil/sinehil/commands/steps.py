"""The stages that several commands share; here, and only here, the bench side meets the pipeline."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from sinehil import manifest
from sinehil.arduino import ArduinoEnvironment, Firmware, compile_sketch, prepare_environment, stage_sketch
from sinehil.console import Console
from sinehil.errors import UsageError
from sinehil.files import write_atomically
from sinehil.oracle import LitertOracle
from sinehil.tflite_model import QuantizedModel, load_quantized_model
from sinehil.verify.result import FirmwareSize
from sinehil.verify.run import Expected
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


def load_model(artifacts: Path, model: Path | None) -> QuantizedModel:
    """Return the model a command works on: ``--model``, else the artefact folder's, checked against its manifest."""
    if model is not None:
        return load_quantized_model(model)
    listed = manifest.read_manifest(artifacts)
    return load_quantized_model(manifest.checked_file(artifacts, listed, manifest.QUANTIZED_MODEL))


def check_oracle(oracle: str) -> None:
    """Refuse an oracle that is not built yet."""
    if oracle not in ORACLES:
        raise UsageError(f"there is no oracle {oracle!r}", f"choose one of: {', '.join(ORACLES)}")


def build_folder(build: Path, fqbn: str, model: QuantizedModel, oracle: str) -> Path:
    """Return a folder of its own for each board, oracle and model."""
    return build / f"{fqbn.replace(':', '.')}-{oracle}-{model.sha256[:12]}"


def make_kernel(model: QuantizedModel, oracle: str) -> GeneratedKernel:
    """Generate the kernel and hold it against the interpreter on this machine."""
    kernel = generate_kernel(model, oracle)
    check_kernel_on_host(kernel, model)
    return kernel


def expectation(model: QuantizedModel, oracle: str) -> tuple[Expected, LitertOracle]:
    """Return what the board must say of itself, and the interpreter its outputs must equal."""
    return Expected(model, oracle, generate_kernel(model, oracle).weights_crc32), LitertOracle(model)


def compile_firmware(
    console: Console, model: QuantizedModel, oracle: str, fqbn: str, build: Path
) -> tuple[ArduinoEnvironment, Firmware]:
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
    return environment, firmware


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
