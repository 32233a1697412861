"""The kernel on a simulated ATmega328P, compiled as the Arduino core compiles it: bit for bit the interpreter."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from avr_tools import AvrRun, compile_shared, flash_image, run_image
from models import change_table
from nets import variety
from tests.sampling import first, only

from sinehil.model.interpreters import open_oracle
from sinehil.model.tflite import QuantizedModel
from sinehil.verify.probes import all_codes, exhaustive_floats
from sinehil_kernels import GeneratedKernel, generate_kernel
from sinehil_kernels.portable import layer_plan as plan
from sinehil_kernels.value_ranges import value_ranges

NETS = ("plain 1", "per-tensor 13", "raised floor 3", "symmetric", "largest weights")
pytestmark = pytest.mark.board


Runner = Callable[[GeneratedKernel, QuantizedModel], AvrRun]


@pytest.fixture
def run_on_avr(simulator: Path, tmp_path: Path) -> Runner:
    """Return what runs a kernel with one input and output on every code and every step of its quantiser."""

    def run(generated: GeneratedKernel, model: QuantizedModel) -> AvrRun:
        x_q = all_codes().reshape(-1, 1)
        x = exhaustive_floats(model.input, oracle=generated.oracle).reshape(-1, 1)
        shared = compile_shared(tmp_path)
        image = flash_image(generated.sources, model.outputs, x_q, x, tmp_path, shared)
        return run_image(simulator, image, len(x_q), model.outputs)

    return run


def assert_equals_interpreter(run: AvrRun, generated: GeneratedKernel, model: QuantizedModel) -> None:
    oracle = open_oracle(generated.oracle, model)
    np.testing.assert_array_equal(run.codes.ravel(), oracle.predict_codes(all_codes()))
    expected = oracle.predict(exhaustive_floats(model.input, oracle=generated.oracle))
    assert len(expected) > 530
    np.testing.assert_array_equal(run.y.ravel().view(np.uint32), expected.view(np.uint32))
    assert run.weights_crc32 == generated.weights_crc32


def report(name: str, run: AvrRun) -> None:
    print(f"{name}: mean {run.cycles.mean():.0f}, max {run.cycles.max()} cycles per inference")  # noqa: T201
    assert run.cycles.min() > 10
    assert run.cycles.max() < 40_000


@pytest.mark.parametrize("name", first(1, NETS))
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


@pytest.mark.parametrize(
    ("engine", "name"), only([ASSEMBLED[0], ASSEMBLED[2], ASSEMBLED[7]], ASSEMBLED, spread=True)
)
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
@pytest.mark.parametrize("oracle", first(1, ["tflm", "litert"]))
def test_the_fall_backs_on_the_chip(
    fall_back: str, oracle: str, run_on_avr: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "find_line", lambda *_arguments, **_options: None)
    if fall_back == "steps":
        monkeypatch.setattr(plan, "find_oracle_form", lambda *_arguments: None)
    model = variety()["plain 5"].model()
    generated = generate_kernel(model, oracle)
    assert ("own_code" in generated.source) == (fall_back == "own")
    assert_equals_interpreter(run_on_avr(generated, model), generated, model)


def test_one_changed_weight_is_noticed_on_the_chip(run_on_avr: Runner) -> None:
    """Negative control: with one number of the last layer's weights changed, codes and checksum differ."""
    model = variety()["plain 1"].model()
    generated = generate_kernel(model)
    weights = plan.plan_layers(value_ranges(model, "litert"), "litert")[2].weights[0]
    largest = int(np.argmax(np.abs(weights.astype(int))))
    changed = change_table(generated, "layer_3_weights", largest, -int(weights[largest]) // 2)
    run = run_on_avr(changed, model)
    assert np.any(run.codes.ravel() != open_oracle("litert", model).predict_codes(all_codes()))
    assert run.weights_crc32 != generated.weights_crc32


def test_a_program_that_never_ends_is_stopped(simulator: Path, tmp_path: Path) -> None:
    """Negative control of the runner: a jump to itself (0xcfff) ends with its own status, not as a result."""
    image = tmp_path / "loop.bin"
    image.write_bytes(b"\xff\xcf" * 16)
    assert subprocess.run([simulator, image, "100000"], check=False).returncode == 3
