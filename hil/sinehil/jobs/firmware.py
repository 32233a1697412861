"""Make firmware of a model: generate and prove the kernel, stage the sketch, compile it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from sinehil.arduino import (
    ArduinoEnvironment,
    Firmware,
    compile_sketch,
    describe_board,
    prepare_environment,
    stage_sketch,
)
from sinehil.base.console import Console
from sinehil.base.files import bounded_bytes, write_atomically
from sinehil.errors import ArtefactError
from sinehil.jobs.selection import Selection
from sinehil.model.arithmetic import ORACLES
from sinehil.model.interpreters import open_oracle
from sinehil.model.tflite import QuantizedModel
from sinehil.verify.comparison import Expected
from sinehil.verify.oracle_differences import Difference, oracle_differences
from sinehil.verify.result import FirmwareSize, Proof
from sinehil_kernels import KINDS, ProvenKernel, choose_kernel, proven_kernel

BUILD_RECORD = "firmware.json"
MAX_RECORD_BYTES = 64 << 10


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

    kernel: ProvenKernel
    expected: Expected
    folder: Path
    environment: ArduinoEnvironment
    firmware: Firmware

    @property
    def size(self) -> FirmwareSize:
        """What the compiler said of the image."""
        image = self.firmware
        return FirmwareSize(image.flash_bytes, image.flash_max_bytes, image.ram_bytes, image.ram_max_bytes)


def expectation(model: QuantizedModel, oracle: str, *made: ProvenKernel) -> Expected:
    """Return what a board that holds ``model`` must say of itself, whichever engine it names.

    A kernel not among those ``made`` is found in the cache, or generated, when a board names its engine.
    """
    known = {kernel.engine: kernel for kernel in made}

    def kernel_of(engine: str) -> ProvenKernel | None:
        if engine not in known and engine in KINDS:
            known[engine] = proven_kernel(model, oracle, engine)
        return known.get(engine)

    def checksum_of(engine: str) -> int | None:
        kernel = kernel_of(engine)
        return None if kernel is None else kernel.weights_crc32

    def proof_of(engine: str) -> Proof | None:
        kernel = kernel_of(engine)
        return None if kernel is None else kernel.proof

    return Expected(model, oracle, checksum_of, proof_of)


def kernel_sources(model: QuantizedModel, oracle: str, kind: str) -> Mapping[str, str]:
    """Return the files of a proven kernel of this kind, whatever the board."""
    return proven_kernel(model, oracle, kind).sources


def compare_oracles(console: Console, wanted: Selection, built: Built) -> list[Difference]:
    """Prove a kernel for each other oracle too, and say how far the interpreters are apart for this model."""
    model, proven = wanted.model, [f"{wanted.oracle} ({built.kernel.engine})"]
    with console.stage("oracles") as stage:
        board = describe_board(built.environment, wanted.fqbn)
        for oracle in ORACLES:
            stage.update(oracle, None)
            if oracle != wanted.oracle:
                kernel = choose_kernel(model, oracle, wanted.optimize, board)
                proven.append(f"{oracle} ({kernel.engine})")
        differences = oracle_differences([open_oracle(oracle, model) for oracle in ORACLES], model)
        stage.note = f"a kernel proven for each of {', '.join(proven)}"
    for difference in differences:
        console.say(f"{'':<12}{difference.sentence()}")
    return differences


def compile_firmware(console: Console, wanted: Selection) -> Built:
    """Generate, check, stage and compile; two lines of talk."""
    with console.stage("kernel") as stage:
        environment = prepare_environment(lambda text: stage.update(text, None))
        board = describe_board(environment, wanted.fqbn)
        kernel = choose_kernel(wanted.model, wanted.oracle, wanted.optimize, board)
        stage.note = _kernel_note(kernel, wanted.model)
    with console.stage("compile") as stage:
        folder = wanted.build_folder(kernel.engine)
        sketch = stage_sketch(kernel.sources, folder)
        firmware = compile_sketch(environment, sketch, wanted.fqbn, folder / "out")
        write_record(folder, kernel, firmware)
        stage.note = (
            f"{firmware.flash_bytes} of {firmware.flash_max_bytes} bytes flash, "
            f"{firmware.ram_bytes} of {firmware.ram_max_bytes} bytes RAM"
        )
    return Built(kernel, expectation(wanted.model, wanted.oracle, kernel), folder, environment, firmware)


def _kernel_note(kernel: ProvenKernel, model: QuantizedModel) -> str:
    compared = (
        "every code and quantiser step" if model.inputs == 1 else "seeded samples, proven neuron by neuron"
    )
    cost = (
        ""
        if kernel.figures is None
        else f", {kernel.figures.mean_cycles:,.0f} cycles, {kernel.core_bytes:,} bytes"
    )
    return f"{kernel.engine}{cost}; equal to {kernel.oracle} on {compared}"


def write_record(folder: Path, kernel: ProvenKernel, firmware: Firmware) -> None:
    """Keep the sizes of an image beside it."""
    record = BuildRecord(
        model_sha256=kernel.model_sha256,
        oracle=kernel.oracle,
        engine=kernel.engine,
        fqbn=firmware.fqbn,
        hex=firmware.hex.name,
        flash_bytes=firmware.flash_bytes,
        flash_max_bytes=firmware.flash_max_bytes,
        ram_bytes=firmware.ram_bytes,
        ram_max_bytes=firmware.ram_max_bytes,
    )
    write_atomically(folder / BUILD_RECORD, (json.dumps(asdict(record), indent=1) + "\n").encode())


def recorded_size(folder: Path) -> FirmwareSize | None:
    """Return the size of the image that an earlier run compiled in ``folder``, None if this machine compiled none."""
    try:
        record = json.loads(bounded_bytes(folder / BUILD_RECORD, MAX_RECORD_BYTES) or b"")
        return FirmwareSize(*(int(record[name]) for name in FirmwareSize.__dataclass_fields__))
    except (ArtefactError, ValueError, KeyError, TypeError):
        return None
