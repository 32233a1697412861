"""The NumPy rules against the real interpreter: every code, every step of the quantiser."""

import numpy as np
import pytest
from models import Layer, Net, model_object, pack
from nets import random_net, variety
from numpy.typing import NDArray

from sinehil.arithmetic import (
    accumulate,
    dequantize,
    infer_codes,
    multipliers,
    quantize_input,
    quantizer_steps,
)
from sinehil.errors import ArtefactError
from sinehil.oracle import LitertOracle
from sinehil.tflite_model import Quantization, QuantizedModel, parse_quantized_model
from sinehil.verify.probes import all_codes, exhaustive_floats

NETS = variety()
# 1 -> 1, weight 64, one scale for all: the output code is the input code, so the interpreter shows its quantiser.
SCALES = [np.float32(scale) for scale in (6.2831855 / 255, 0.1, 1 / 3, 0.0123456, 7e-6, 1234.5, 1.0)]
ZERO_POINTS = (-128, -1, 0, 57, 127)


@pytest.fixture(params=NETS, ids=[name.replace(" ", "-") for name in NETS])
def model(request: pytest.FixtureRequest) -> QuantizedModel:
    return NETS[request.param].model()


def identity_oracle(quantization: Quantization) -> tuple[QuantizedModel, LitertOracle]:
    half = Layer(
        weights=np.array([[64]], np.int8),
        bias=None,
        weight_scales=np.array([1 / 64], np.float32),
        output=quantization,
        activation="NONE",
    )
    model = Net(quantization, (half,)).model()
    return model, LitertOracle(model)


def gemmlowp(accumulators: NDArray[np.int64], multiplier: float) -> NDArray[np.int64]:
    """TFLM's requantisation: saturating rounding doubling high mul, then rounding divide by a power of two."""
    mantissa, exponent = np.frexp(multiplier)
    fixed = int(np.rint(mantissa * 2**31))
    product = accumulators * fixed + np.where(accumulators * fixed >= 0, 1 << 30, 1 - (1 << 30))
    high = np.sign(product) * (np.abs(product) >> 31)
    shift = -int(exponent)
    mask = (1 << shift) - 1
    rounded: NDArray[np.int64] = (high >> shift) + ((high & mask) > (mask >> 1) + (high < 0))
    return rounded


def test_there_are_enough_nets_and_they_use_their_range() -> None:
    used = [len(np.unique(LitertOracle(net.model()).predict_codes(all_codes()))) for net in NETS.values()]
    assert len(used) >= 30
    assert np.median(used) > 100
    zero_points = {net.input.zero_point for net in NETS.values()}
    assert {-128, 127} <= zero_points


def test_every_code_comes_out_as_the_interpreter_gives_it(model: QuantizedModel) -> None:
    expected = LitertOracle(model).predict_codes(all_codes())
    np.testing.assert_array_equal(infer_codes(model, all_codes()).ravel(), expected)


def test_every_step_and_special_float_comes_out_bit_for_bit(model: QuantizedModel) -> None:
    x = exhaustive_floats(model.input)
    y = dequantize(infer_codes(model, quantize_input(x, model.input)).ravel(), model.output)
    np.testing.assert_array_equal(y.view(np.uint32), LitertOracle(model).predict(x).view(np.uint32))


def test_a_batch_gives_what_single_samples_give(model: QuantizedModel) -> None:
    oracle = LitertOracle(model)
    x_q = all_codes()[::17]
    single = [oracle.predict_codes(x_q[index : index + 1]).item() for index in range(len(x_q))]
    assert single == oracle.predict_codes(x_q).tolist()


@pytest.mark.parametrize("zero_point", ZERO_POINTS)
@pytest.mark.parametrize("scale", SCALES)
def test_both_neighbours_of_a_step_differ_by_one_code(scale: np.float32, zero_point: int) -> None:
    model, oracle = identity_oracle(Quantization(scale, zero_point))
    steps = quantizer_steps(model.input)
    y = oracle.predict(steps.ravel()).reshape(255, 2)
    codes = np.rint(y / scale) + zero_point
    np.testing.assert_array_equal(codes[:, 0], np.arange(-128, 127))
    np.testing.assert_array_equal(codes[:, 1], np.arange(-127, 128))
    np.testing.assert_array_equal(np.nextafter(steps[:, 0], np.float32(np.inf)), steps[:, 1])


def test_random_floats_and_bit_patterns_get_the_interpreters_code() -> None:
    random = np.random.default_rng(7)
    patterns = random.integers(0, 2**32, 20_000, dtype=np.uint32).view(np.float32)
    for scale in SCALES:
        model, oracle = identity_oracle(Quantization(scale, int(random.integers(-128, 128))))
        x = np.concatenate([patterns, (random.normal(0, 100, 20_000) * scale).astype(np.float32)])
        expected = oracle.predict(x)
        np.testing.assert_array_equal(dequantize(quantize_input(x, model.input), model.input), expected)


def test_the_usual_host_side_rounding_misses_steps() -> None:
    """Negative control: with np.round(x / s) + z in place of the oracle's rule the comparison fails."""
    missed = []
    for seed in range(8):
        model = random_net(seed, x_range=(0, 6 + seed / 7)).model()
        steps = quantizer_steps(model.input).ravel()
        usual = np.clip(np.round(steps / model.input.scale) + model.input.zero_point, -128, 127)
        missed.append(int(np.sum(usual != quantize_input(steps, model.input))))
    assert sum(missed) > 0
    assert max(missed) >= 3


def test_the_rounding_of_another_runtime_is_noticed() -> None:
    """Negative control: gemmlowp's rounding gives other codes, so equality over all codes says something."""
    differing = []
    for name in [name for name in NETS if name.startswith("plain")]:
        layers, codes = NETS[name].model().layers, all_codes().astype(np.int64).reshape(-1, 1)
        for layer in layers:
            sums = accumulate(layer, codes)
            columns = [gemmlowp(sums[:, j], float(slope)) for j, slope in enumerate(multipliers(layer))]
            low = layer.output.zero_point if layer.activation == "RELU" else -128
            codes = np.clip(np.stack(columns, axis=1) + layer.output.zero_point, low, 127)
        differing.append(int(np.sum(codes.ravel() != infer_codes(NETS[name].model(), all_codes()).ravel())))
    assert sum(count > 0 for count in differing) >= 3
    assert max(differing) < 200  # close, as facts have it: rounding, not another network


def test_one_wrong_bit_of_a_weight_is_noticed() -> None:
    """Negative control: of the flips of one weight bit many are visible over all codes."""
    net = random_net(3)
    expected = LitertOracle(net.model()).predict_codes(all_codes())
    visible = 0
    for index in range(16):
        model = net.model()
        model.layers[1].weights[index, index] ^= 1 << (index % 7)
        visible += bool(np.any(infer_codes(model, all_codes()).ravel() != expected))
    assert visible > 0


@pytest.mark.parametrize("scale", [1.1e-18, 0.9e18])
@pytest.mark.parametrize("factor", [1.1e-18, 1e-9, 1, 255.9])
def test_what_the_reader_just_lets_through_is_computed_alike(scale: float, factor: float) -> None:
    """Beyond these scales the interpreter crashes (subnormal ones), refuses (factors of 256) or takes other kernels."""
    output = float(np.clip(scale / factor, 1.1e-18, 0.9e18))
    weight_scale = np.float32(np.clip(factor * output / scale, 1.1e-18, 0.9e18))
    layer = Layer(
        np.array([[77]], np.int8),
        np.array([-(2**30)], np.int32) if factor < 1e-3 else None,
        np.array([weight_scale], np.float32),
        Quantization(np.float32(output), 5),
        "NONE",
    )
    model = Net(Quantization(np.float32(scale), -7), (layer,)).model()
    expected = LitertOracle(model).predict_codes(all_codes())
    np.testing.assert_array_equal(infer_codes(model, all_codes()).ravel(), expected)


@pytest.mark.parametrize("spoil", ["name", "version", "operator version"])
def test_what_only_the_interpreter_refuses_is_an_artefact_error(spoil: str) -> None:
    root = model_object(random_net(1))
    if spoil == "name":
        root.subgraphs[0].tensors[root.subgraphs[0].inputs[0]].name = b"\xff\xce"
    elif spoil == "version":
        root.version = 77
    else:
        root.operatorCodes[1].version = 99
    model = parse_quantized_model(pack(root), "odd.tflite")
    with pytest.raises(ArtefactError, match="the interpreter refuses the model") as caught:
        LitertOracle(model)
    assert caught.value.next_step
