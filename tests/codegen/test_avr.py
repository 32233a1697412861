"""The kernel on a simulated ATmega328P, compiled as the Arduino core compiles it: bit for bit the interpreter."""

import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from nets import variety
from numpy.typing import NDArray

from sinehil.oracle import LitertOracle
from sinehil.tflite_model import QuantizedModel
from sinehil.verify.probes import all_codes, exhaustive_floats
from sinehil_pipeline.codegen import GeneratedKernel, generate_kernel, kernel

HERE = Path(__file__).parent
SKETCH = HERE.parents[1] / "arduino_sketch"
CORE_FLAGS = (
    "-Os -std=gnu11 -ffunction-sections -fdata-sections -Wall -Wextra -mmcu=atmega328p -DF_CPU=16000000L"
)
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


def call(*command: object) -> None:
    subprocess.run([str(word) for word in command], check=True)


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = tmp_path_factory.mktemp("simulator") / "avr_runner"
    call("cc", "-O2", "-Wall", "-Wextra", HERE / "avr_runner.c", "-o", program, "-lsimavr", "-lelf")
    return program


def flash_image(source: str, main: Path, folder: Path, model: QuantizedModel) -> Path:
    bits = exhaustive_floats(model.input).view(np.uint32).tolist()
    numbers = ", ".join(f"0x{word:08x}UL" for word in bits)
    (folder / "probes.h").write_text(f"#define PROBE_COUNT {len(bits)}\n#define PROBES {numbers}\n")
    (folder / "sinehil_kernel.c").write_text(source)
    compiler = ["avr-gcc", *CORE_FLAGS.split(), "-I", SKETCH, "-I", folder]
    objects = []
    for file, extra in ((folder / "sinehil_kernel.c", LTO), (SKETCH / "crc32.c", LTO), (main, "")):
        objects.append(folder / f"{file.stem}.o")
        call(*compiler, *extra.split(), "-c", file, "-o", objects[-1])
    elf, image = folder / "program.elf", folder / "program.bin"
    call(*compiler, "-flto", "-fuse-linker-plugin", "-Wl,--gc-sections", *objects, "-o", elf, "-lm")
    call("avr-objcopy", "-O", "binary", "-R", ".eeprom", elf, image)
    return image


@pytest.fixture
def run_on_avr(simulator: Path, tmp_path: Path) -> Runner:
    def run(generated: GeneratedKernel, model: QuantizedModel) -> AvrRun:
        image = flash_image(generated.source, HERE / "avr_main.c", tmp_path, model)
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
    oracle = LitertOracle(model)
    np.testing.assert_array_equal(run.codes, oracle.predict_codes(all_codes()))
    expected = oracle.predict(exhaustive_floats(model.input))
    assert len(expected) > 530
    np.testing.assert_array_equal(run.y.view(np.uint32), expected.view(np.uint32))
    assert run.weights_crc32 == generated.weights_crc32


def report(name: str, run: AvrRun) -> None:
    print(f"{name}: mean {run.cycles.mean():.0f}, max {run.cycles.max()} cycles per inference")  # noqa: T201
    assert run.cycles.min() > 100
    assert run.cycles.max() < 40_000


@pytest.mark.parametrize("name", NETS, ids=[name.replace(" ", "-") for name in NETS])
def test_the_chip_equals_the_interpreter(name: str, run_on_avr: Runner) -> None:
    model = variety()[name].model()
    generated = generate_kernel(model)
    run = run_on_avr(generated, model)
    report(name, run)
    assert_equals_interpreter(run, generated, model)


def test_the_steps_fall_back_on_the_chip(run_on_avr: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "find_line", lambda *_arguments: None)
    model = variety()["plain 5"].model()
    generated = generate_kernel(model)
    run = run_on_avr(generated, model)
    assert_equals_interpreter(run, generated, model)


def test_one_changed_weight_is_noticed_on_the_chip(run_on_avr: Runner) -> None:
    """Negative control: with one number of the last layer's weights changed, codes and checksum differ."""
    model = variety()["plain 1"].model()
    generated = generate_kernel(model)
    first = int(np.argmax(np.abs(model.layers[2].weights)))
    table = re.search(r"layer_3_weights\[16\] PROGMEM = \{([^}]*)\}", generated.source)
    assert table is not None
    numbers = table[1].split(",")
    numbers[first] = str(int(numbers[first]) // 2)
    changed = generated.source.replace(table[1], ",".join(numbers))
    run = run_on_avr(replace(generated, source=changed), model)
    assert np.any(run.codes != LitertOracle(model).predict_codes(all_codes()))
    assert run.weights_crc32 != generated.weights_crc32


def test_a_program_that_never_ends_is_stopped(simulator: Path, tmp_path: Path) -> None:
    """Negative control of the runner: a jump to itself (0xcfff) ends with its own status, not as a result."""
    image = tmp_path / "loop.bin"
    image.write_bytes(b"\xff\xcf" * 16)
    assert subprocess.run([simulator, image, "100000"], check=False).returncode == 3
