"""The kernel on a simulated ATmega328P, compiled as the Arduino core compiles it: bit for bit the interpreter."""

import re
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from avr_tools import CORE_FLAGS, call
from models import change_table
from nets import variety
from numpy.typing import NDArray

from sinehil.oracle import open_oracle
from sinehil.tflite_model import QuantizedModel
from sinehil.verify.probes import all_codes, exhaustive_floats
from sinehil_pipeline.codegen import GeneratedKernel, generate_kernel
from sinehil_pipeline.codegen.portable import plan
from sinehil_pipeline.codegen.reach import reach

HERE = Path(__file__).parent
SKETCH = HERE.parents[1] / "arduino_sketch"
LTO = "-flto -fno-fat-lto-objects"  # the measuring main is compiled without, so that nothing moves past its marks
NETS = ("plain 1", "per-tensor 13", "raised floor 3", "symmetric", "largest weights")
CYCLE_LIMIT = 500_000_000
pytestmark = pytest.mark.board


@dataclass(frozen=True)
class AvrRun:
    codes: NDArray[np.int8]
    y: NDArray[np.float32]
    weights_crc32: int
    cycles: NDArray[np.int64]  # per inference, net of what counting costs


Runner = Callable[[GeneratedKernel, QuantizedModel], AvrRun]


def flash_image(
    sources: Mapping[str, str], main: Path, folder: Path, model: QuantizedModel, oracle: str
) -> Path:
    bits = exhaustive_floats(model.input, oracle=oracle).view(np.uint32).tolist()
    numbers = ", ".join(f"0x{word:08x}UL" for word in bits)
    (folder / "probes.h").write_text(f"#define PROBE_COUNT {len(bits)}\n#define PROBES {numbers}\n")
    for name, text in sources.items():
        (folder / name).write_text(text)
    compiler = ["avr-gcc", *CORE_FLAGS.split(), "-I", SKETCH, "-I", folder]
    objects: list[Path] = []
    files = [
        *((folder / name, LTO if name.endswith(".c") else "") for name in sources if not name.endswith(".h")),
        (SKETCH / "crc32.c", LTO),
        (SKETCH / "float_io.c", LTO),
    ]
    for file, extra in (*files, (main, "")):
        objects.append(folder / f"{file.stem}.o")
        call(*compiler, *extra.split(), "-c", file, "-o", objects[-1])
    elf, image = folder / "program.elf", folder / "program.bin"
    call(*compiler, "-flto", "-fuse-linker-plugin", "-Wl,--gc-sections", *objects, "-o", elf, "-lm")
    call("avr-objcopy", "-O", "binary", "-R", ".eeprom", elf, image)
    return image


@pytest.fixture
def run_on_avr(simulator: Path, tmp_path: Path) -> Runner:
    def run(generated: GeneratedKernel, model: QuantizedModel) -> AvrRun:
        image = flash_image(generated.sources, HERE / "avr_main.c", tmp_path, model, generated.oracle)
        done = subprocess.run([simulator, image, str(CYCLE_LIMIT)], capture_output=True, check=True)
        counts = np.array(re.findall(rb"^(\d+)$", done.stderr, re.MULTILINE), dtype=np.int64)
        assert len(counts) == 257
        return AvrRun(
            codes=np.frombuffer(done.stdout[:256], np.int8),
            y=np.frombuffer(done.stdout[256:-4], "<f4"),
            weights_crc32=int.from_bytes(done.stdout[-4:], "little"),
            cycles=counts[1:] - counts[0],
        )

    return run


def assert_equals_interpreter(run: AvrRun, generated: GeneratedKernel, model: QuantizedModel) -> None:
    oracle = open_oracle(generated.oracle, model)
    np.testing.assert_array_equal(run.codes, oracle.predict_codes(all_codes()))
    expected = oracle.predict(exhaustive_floats(model.input, oracle=generated.oracle))
    assert len(expected) > 530
    np.testing.assert_array_equal(run.y.view(np.uint32), expected.view(np.uint32))
    assert run.weights_crc32 == generated.weights_crc32


def report(name: str, run: AvrRun) -> None:
    print(f"{name}: mean {run.cycles.mean():.0f}, max {run.cycles.max()} cycles per inference")  # noqa: T201
    assert run.cycles.min() > 10
    assert run.cycles.max() < 40_000


@pytest.mark.parametrize("name", NETS, ids=[name.replace(" ", "-") for name in NETS])
def test_the_chip_equals_the_interpreter(name: str, run_on_avr: Runner) -> None:
    model = variety()[name].model()
    generated = generate_kernel(model)
    run = run_on_avr(generated, model)
    report(name, run)
    assert_equals_interpreter(run, generated, model)


ASSEMBLED = [("table", name) for name in ("plain 1", "symmetric")]
ASSEMBLED += [("speed", name) for name in ("plain 1", "symmetric", "relu6 20", "linear 30", "int8 ends 72")]
ASSEMBLED += [
    ("size", name) for name in ("plain 2", "per-tensor 13", "relu6 21", "raised floor 3", "largest weights")
]


@pytest.mark.parametrize(("engine", "name"), ASSEMBLED)
def test_a_kernel_in_assembly_equals_the_interpreter(engine: str, name: str, run_on_avr: Runner) -> None:
    model = variety()[name].model()
    generated = generate_kernel(model, optimize=engine)
    run = run_on_avr(generated, model)
    report(f"{engine}, {name}", run)
    assert_equals_interpreter(run, generated, model)
    assert generated.figures is not None
    surplus = run.cycles - generated.figures.mean_cycles  # simavr, with call, return and their arguments
    assert 8 <= surplus.mean() <= 24


@pytest.mark.parametrize("fall_back", ["steps", "own"])
@pytest.mark.parametrize("oracle", ["litert", "tflm"])
def test_the_fall_backs_on_the_chip(
    fall_back: str, oracle: str, run_on_avr: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "find_line", lambda *_arguments, **_options: None)
    if fall_back == "steps":
        monkeypatch.setattr(plan, "find_own", lambda *_arguments: None)
    model = variety()["plain 5"].model()
    generated = generate_kernel(model, oracle)
    assert ("own_code" in generated.source) == (fall_back == "own")
    assert_equals_interpreter(run_on_avr(generated, model), generated, model)


def test_one_changed_weight_is_noticed_on_the_chip(run_on_avr: Runner) -> None:
    """Negative control: with one number of the last layer's weights changed, codes and checksum differ."""
    model = variety()["plain 1"].model()
    generated = generate_kernel(model)
    weights = plan.plan_layers(reach(model, "litert"), "litert")[2].weights[0]
    largest = int(np.argmax(np.abs(weights.astype(int))))
    changed = change_table(generated, "layer_3_weights", largest, -int(weights[largest]) // 2)
    run = run_on_avr(changed, model)
    assert np.any(run.codes != open_oracle("litert", model).predict_codes(all_codes()))
    assert run.weights_crc32 != generated.weights_crc32


def test_a_program_that_never_ends_is_stopped(simulator: Path, tmp_path: Path) -> None:
    """Negative control of the runner: a jump to itself (0xcfff) ends with its own status, not as a result."""
    image = tmp_path / "loop.bin"
    image.write_bytes(b"\xff\xcf" * 16)
    assert subprocess.run([simulator, image, "100000"], check=False).returncode == 3
