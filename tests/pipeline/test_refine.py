"""The refinement: never worse, the same bytes everywhere, what the real interpreter computes, and near its floor."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from models import Layer, Net
from nets import random_net, variety
from refine_starts import interpolating_net
from tests import cpu

from sinehil.errors import ArtefactError
from sinehil.model.arithmetic import LITERT
from sinehil.model.interpreters import LitertOracle
from sinehil.model.targets import TARGETS, Target
from sinehil.model.tflite import Quantization, QuantizedModel, parse_quantized_model
from sinehil_pipeline.refinement.exact_network import EVERY_CODE, Network
from sinehil_pipeline.refinement.moves import draw_change
from sinehil_pipeline.refinement.patch import with_layers
from sinehil_pipeline.refinement.refine import Refined, RefineSettings, max_abs_error, refine
from sinehil_pipeline.refinement.target_distance import CODES, error_table, floor_of

SHORT = RefineSettings(evaluations=150_000, round_evaluations=75_000)
SIN = TARGETS["sin"]
TIMEOUT_S = 300
PROGRAM = """
import hashlib, json
from tests.cpu import simd_levels
from test_refine import SHORT, SIN, interpolating_net, refine
data = refine(interpolating_net(SIN).file(), SIN, SHORT).model
print(json.dumps({"sha256": hashlib.sha256(data).hexdigest(), "levels": simd_levels()}))
"""


@pytest.fixture(scope="module")
def refined() -> Refined:
    return refine(interpolating_net(SIN).file(), SIN, SHORT)


def measured_error(model: bytes, target: Target) -> float:
    """Return the largest error on a dense grid, by the real interpreter and NumPy's own functions."""
    x = np.linspace(target.low, target.high, 200_001)
    y = LitertOracle(parse_quantized_model(model, "refined")).predict(x.astype(np.float32))
    return float(np.abs(y - target.function(x)).max())


@pytest.mark.parametrize("name", TARGETS)
def test_a_small_budget_takes_every_target_most_of_the_way(name: str) -> None:
    start, target = interpolating_net(TARGETS[name]).file(), TARGETS[name]
    found = refine(start, target, SHORT)
    assert found.floor <= found.max_abs_error < found.start_error
    assert found.max_abs_error - found.floor < 0.8 * (found.start_error - found.floor)
    assert measured_error(found.model, target) == pytest.approx(found.max_abs_error, abs=5e-5)
    assert measured_error(start, target) == pytest.approx(found.start_error, abs=5e-5)


def test_only_constants_change_in_the_file(refined: Refined) -> None:
    start = interpolating_net(SIN).model()
    model = parse_quantized_model(refined.model, "refined")
    assert len(refined.model) == len(start.data)
    back = with_layers(model, start.dense_layers)
    assert back.data == start.data, "with the old constants it is the old file"
    assert refined.model != start.data


@pytest.mark.parametrize(
    "name", ["plain 0", "per-tensor 10", "relu6 20", "narrow 40", "int8 ends 70", "saturated 60"]
)
def test_no_model_becomes_worse_and_the_interpreter_agrees(name: str) -> None:
    start = variety()[name].model()
    found = refine(start.data, SIN, replace(SHORT, evaluations=20_000, round_evaluations=10_000))
    assert found.max_abs_error <= found.start_error == max_abs_error(start, SIN)
    model = parse_quantized_model(found.model, "refined")
    assert np.array_equal(LitertOracle(model).predict_codes(CODES), LITERT.infer_codes(model, CODES)[:, 0])
    assert max_abs_error(model, SIN) == found.max_abs_error


def test_a_search_that_gains_nothing_leaves_the_file_as_it_is() -> None:
    done = refine(interpolating_net(SIN).file(), SIN, SHORT).model
    tiny = RefineSettings(evaluations=32, round_evaluations=32, goal=0.5, seed=5)
    assert refine(done, SIN, tiny).model == done


def test_without_a_budget_the_file_stays_as_it_is() -> None:
    start = random_net(3).file()
    found = refine(start, SIN, replace(SHORT, evaluations=0))
    assert (found.model, found.evaluations, found.rounds) == (start, 0, 0)


def test_it_tells_how_far_it_is() -> None:
    told: list[tuple[int, int, float]] = []
    settings = replace(SHORT, evaluations=400_000, round_evaluations=400_000)
    found = refine(interpolating_net(SIN).file(), SIN, settings, lambda *now: told.append(now))
    assert told
    assert all(done <= total == settings.evaluations for done, total, _ in told)
    assert all(found.max_abs_error <= error <= found.start_error for *_, error in told)


def run_elsewhere(environment: dict[str, str]) -> dict[str, str | list[str]]:
    folders = os.pathsep.join(path for path in sys.path if path)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=os.environ | {"PYTHONPATH": folders} | environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=TIMEOUT_S,
    )
    answer: dict[str, str | list[str]] = json.loads(done.stdout)
    return answer


def test_the_bytes_do_not_depend_on_the_cpu(refined: Refined) -> None:
    mine = run_elsewhere({})
    other = run_elsewhere(cpu.OLD | cpu.without_simd(cpu.simd_levels()))
    assert other["levels"] == [], "the switches must have worked"
    assert other["sha256"] == mine["sha256"] == parse_quantized_model(refined.model, "refined").sha256


def test_another_seed_gives_another_model(refined: Refined) -> None:
    assert refine(interpolating_net(SIN).file(), SIN, replace(SHORT, seed=9)).model != refined.model


@pytest.mark.parametrize("name", ["plain 1", "relu6 21", "wide 50", "raised floor 3", "largest weights"])
def test_what_a_change_would_do_is_what_it_does(name: str) -> None:
    """Each alternative, worked out from differences, against the oracle's rules run afresh."""
    model = variety()[name].model()
    network, stream = Network(model), np.random.RandomState(1)
    for layer in range(len(model.dense_layers)):
        change = draw_change(network, stream, layer, 0, 100, 8)
        expected = network.outputs_after(change, EVERY_CODE)
        some = np.array([0, 3, 77, 255])
        assert np.array_equal(network.outputs_after(change, some), expected[:, some])
        for index in range(8):
            trial = Network(model)
            trial.apply(change, index)
            assert np.array_equal(trial.outputs, expected[index])
            pairs = zip(model.dense_layers, trial.snapshot(), strict=True)
            layers = tuple(replace(old, weights=weights, bias=bias) for old, (weights, bias) in pairs)
            codes = LITERT.infer_codes(replace(model, layers=layers), CODES)[:, 0]
            assert np.array_equal(codes.astype(np.int64) - model.output.zero_point, expected[index])


def direct_floor(input_: Quantization, output: Quantization, target: Target, x: np.ndarray) -> float:
    """Try every output code for every input code, on the x given, with the interpreter's own quantiser."""
    codes = LitertOracle(identity(input_)).predict(x.astype(np.float32))
    y = (np.arange(-128, 128) - output.zero_point) * float(output.scale)
    wanted = target.function(x)
    cells = [wanted[codes == code] for code in np.unique(codes)]
    return max(min(float(np.abs(value - cell).max()) for value in y) for cell in cells)


def identity(input_: Quantization) -> QuantizedModel:
    """Return a model that gives back the code of x, as a number."""
    layer = Layer(np.full((1, 1), 64, np.int8), np.zeros(1, np.int32), np.float32([1 / 64]), input_, "NONE")
    return Net(input_, (layer,)).model()


@pytest.mark.parametrize("scale", [2 * np.pi / 255, 0.2, 1.5])
@pytest.mark.parametrize("name", TARGETS)
def test_the_floor_is_what_trying_everything_gives(name: str, scale: float) -> None:
    target, output = TARGETS[name], Quantization(np.float32(2 / 255), 0)
    input_ = Quantization(np.float32(scale), -128 if target.low == 0 else 0)
    found = direct_floor(input_, output, target, np.linspace(target.low, target.high, 500_001))
    assert floor_of(input_, output, target) == pytest.approx(found, abs=2e-5 + scale**2 / 2e4)


def test_rounding_sin_to_256_codes_costs_what_theory_says() -> None:
    """Slope 1 over half a cell; with output codes so fine that they cost nothing, that is all."""
    step = 2 * np.pi / 255
    errors = error_table(Quantization(np.float32(step), -128), Quantization(np.float32(2 / 255), 0), SIN)
    assert errors.min(axis=1).max() == pytest.approx(0.0158, abs=0.0005)
    assert errors.min() >= 0
    assert step / 2 == pytest.approx(0.0123, abs=1e-4)


def test_damaged_and_unsupported_models_are_refused() -> None:
    good = interpolating_net(SIN).file()
    with pytest.raises(ArtefactError, match=r"mine\.tflite is not a \.tflite file"):
        refine(b"nothing of the kind", SIN, SHORT, name="mine.tflite")
    with pytest.raises(ArtefactError, match=r"mine\.tflite is damaged"):
        refine(good[:200], SIN, SHORT, name="mine.tflite")
    two = Layer(np.ones((2, 1), np.int8), np.zeros(2, np.int32), np.float32([1]), random_net(1).input, "NONE")
    with pytest.raises(ArtefactError, match="has 1 inputs and 2 outputs; only models of one x and one y"):
        refine(Net(random_net(1).input, (two,)).file(), SIN, SHORT)


def test_biases_too_large_for_exact_sums_are_refused() -> None:
    net = random_net(1)
    middle = replace(net.layers[1], bias=np.full(16, 2**23, np.int32))
    with pytest.raises(ArtefactError, match="a bias is beyond 4194304"):
        refine(replace(net, layers=(net.layers[0], middle, net.layers[2])).file(), SIN, SHORT)


def test_constants_without_a_place_of_their_own_are_refused() -> None:
    model = random_net(2, with_bias=False).model()
    layers = [replace(layer, bias=layer.bias + np.int32(1)) for layer in model.dense_layers]
    with pytest.raises(ArtefactError, match="no place of its own"):
        with_layers(model, layers)
