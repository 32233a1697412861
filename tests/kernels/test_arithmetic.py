"""The NumPy rules of each oracle against its real interpreter: every code of one input, thousands of several."""

from dataclasses import replace

import numpy as np
import pytest
from models import Layer, Net
from nets import deep_net, random_net, variety, wider_variety

from sinehil.errors import ExitCode, UsageError
from sinehil.model.arithmetic import (
    LITERT,
    ORACLES,
    accumulate,
    accumulator_interval,
    arithmetic_of,
    dequantize,
    multipliers,
)
from sinehil.model.arrays import Codes
from sinehil.model.interpreters import open_oracle
from sinehil.model.tflite import Quantization, QuantizedModel
from sinehil.verify.probes import all_codes

NETS, WIDER = variety(), wider_variety()
EVERY = {**NETS, **{f"wider {name}": net for name, net in WIDER.items()}}
SAMPLES = 3000


@pytest.fixture(params=EVERY, ids=[name.replace(" ", "-") for name in EVERY])
def model(request: pytest.FixtureRequest) -> QuantizedModel:
    return EVERY[request.param].model()


def codes_for(model: QuantizedModel) -> Codes:
    """All codes of one input; of several, both corners and random ones."""
    if model.inputs == 1:
        return all_codes().reshape(-1, 1)
    random = np.random.default_rng(5).integers(-128, 128, (SAMPLES, model.inputs)).astype(np.int8)
    ends = np.random.default_rng(6).choice([-128, 127], (SAMPLES // 10, model.inputs)).astype(np.int8)
    lowest, highest = (np.full((1, model.inputs), code, np.int8) for code in (-128, 127))
    return np.concatenate([random, ends, lowest, highest])


def test_there_are_enough_nets_and_they_use_their_range() -> None:
    models = {name: net.model() for name, net in EVERY.items()}
    used = {name: len(np.unique(LITERT.infer_codes(one, codes_for(one)))) for name, one in models.items()}
    assert len(NETS) >= 30 and len(WIDER) >= 25
    assert np.median(list(used.values())) > 100 and sorted(used.values())[3] > 10
    assert {-128, 127} <= {net.input.zero_point for net in NETS.values()}


@pytest.mark.parametrize("oracle", ORACLES)
def test_codes_come_out_as_the_interpreter_gives_them(oracle: str, model: QuantizedModel) -> None:
    x_q = codes_for(model)
    expected = open_oracle(oracle, model).predict_codes(x_q)
    np.testing.assert_array_equal(arithmetic_of(oracle).infer_codes(model, x_q), expected)


@pytest.mark.parametrize("oracle", ORACLES)
def test_floats_come_out_bit_for_bit(oracle: str, model: QuantizedModel) -> None:
    """Around every step of the quantiser, at special values, and far out; of several inputs in a random mixture."""
    rules = arithmetic_of(oracle)
    probes = rules.quantizer_probes(model.input)
    x = np.random.default_rng(7).permuted(np.tile(probes[:, None], model.inputs), axis=0)
    y = dequantize(rules.infer_codes(model, rules.quantize_input(x, model.input)), model.output)
    expected = open_oracle(oracle, model).predict(x)
    np.testing.assert_array_equal(y.view(np.uint32), expected.view(np.uint32))


@pytest.mark.parametrize(
    ("oracle", "other"), [("litert", "tflm"), ("litert-ref", "tflm"), ("tflm", "litert")]
)
def test_the_rounding_of_another_oracle_is_noticed(oracle: str, other: str) -> None:
    """Negative control: with another oracle's rules some nets give other codes, though not entirely other ones."""
    differing = []
    for name in [name for name in EVERY if "plain" in name or "layers" in name]:
        model = EVERY[name].model()
        expected = open_oracle(oracle, model).predict_codes(codes_for(model))
        differing.append(
            float(np.mean(arithmetic_of(other).infer_codes(model, codes_for(model)) != expected))
        )
    assert sum(share > 0 for share in differing) >= 3
    assert max(differing) < 0.8


def test_all_three_differ_on_one_named_net() -> None:
    model = EVERY["wider ties everywhere"].model()
    found = [arithmetic_of(name).infer_codes(model, codes_for(model)) for name in ORACLES]
    for one, other in ((0, 1), (1, 2), (0, 2)):
        assert np.any(found[one] != found[other]), (ORACLES[one], ORACLES[other])


def test_one_wrong_bit_of_a_weight_is_noticed() -> None:
    """Negative control: of the flips of one weight bit many are visible over all codes."""
    net = random_net(3)
    expected = LITERT.infer_codes(net.model(), all_codes())
    visible = 0
    for index in range(16):
        model = net.model()
        model.dense_layers[1].weights[index, index] ^= 1 << (index % 7)
        visible += bool(np.any(LITERT.infer_codes(model, all_codes()) != expected))
    assert visible > 0


@pytest.mark.parametrize("oracle", ORACLES)
@pytest.mark.parametrize("scale", [1.1e-18, 0.9e18])
@pytest.mark.parametrize("factor", [1.1e-18, 1e-9, 1, 255.9])
def test_what_the_reader_just_lets_through_is_computed_alike(
    oracle: str, scale: float, factor: float
) -> None:
    """Beyond these scales LiteRT crashes (subnormal ones), refuses (factors of 256) or takes other kernels."""
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
    expected = open_oracle(oracle, model).predict_codes(all_codes())
    np.testing.assert_array_equal(arithmetic_of(oracle).infer_codes(model, all_codes()).ravel(), expected)


@pytest.mark.parametrize("oracle", ORACLES)
def test_the_largest_sums_are_computed_alike(oracle: str) -> None:
    """Up to the reader's limit: a bias of 2^30 with a factor just below 1, and 2^22 with one of 250."""
    for bias, factor in (
        (2**30 - 2**15, 0.9999),
        (-(2**30) + 2**15, 0.9999),
        (2**22 - 2**15, 250),
        (-(2**21), 250),
    ):
        output = Quantization(np.float32(0.01), 3)
        scales = np.array([factor * 0.01 / 0.5], np.float32)
        layer = Layer(np.full((1, 1), -128, np.int8), np.array([bias], np.int32), scales, output, "NONE")
        model = Net(Quantization(np.float32(0.5), 0), (layer,)).model()
        expected = open_oracle(oracle, model).predict_codes(all_codes())
        np.testing.assert_array_equal(arithmetic_of(oracle).infer_codes(model, all_codes()).ravel(), expected)


def test_the_interval_of_accumulators_is_reached_and_never_left() -> None:
    (layer, _) = deep_net(3, (4, 6, 2)).model().dense_layers
    low, high = accumulator_interval(layer)
    for neuron in range(layer.outputs):
        positive = layer.weights[neuron] > 0
        ends = np.stack([np.where(positive, -128, 127), np.where(positive, 127, -128)])
        assert accumulate(layer, ends)[:, neuron].tolist() == [low[neuron], high[neuron]]
    sums = accumulate(layer, np.random.default_rng(1).integers(-128, 128, (5000, 4)))
    assert np.all((sums >= low) & (sums <= high))


def test_multipliers_are_the_real_factors() -> None:
    (layer, _) = deep_net(3).model().dense_layers
    exact = float(layer.input.scale) * layer.weight_scales.astype(np.float64) / float(layer.output.scale)
    np.testing.assert_allclose(multipliers(layer), exact, rtol=1e-15)
    np.testing.assert_allclose(LITERT.factors(layer), exact, rtol=2e-7)


def test_an_unknown_oracle_is_a_usage_error_that_names_the_choices() -> None:
    for ask in (lambda: arithmetic_of("TFLM"), lambda: open_oracle("gpu", deep_net(1).model())):
        with pytest.raises(UsageError, match="there is no oracle") as caught:
            ask()
        assert caught.value.exit_code == ExitCode.USAGE
        assert all(name in caught.value.next_step for name in ORACLES)


def test_a_samples_order_does_not_matter() -> None:
    model = replace(deep_net(2), float_ends=False).model()
    x_q = codes_for(model)
    once = LITERT.infer_codes(model, x_q)
    np.testing.assert_array_equal(LITERT.infer_codes(model, x_q[::-1]), once[::-1])
