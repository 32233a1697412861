"""Each oracle's input quantiser against its real interpreter: every step, random bit patterns, and far out."""

from typing import Any

import numpy as np
import pytest
from models import Layer, Net
from nets import random_net
from numpy.typing import NDArray

from sinehil.model.arithmetic import LITERT, ORACLES, arithmetic_of, dequantize
from sinehil.model.interpreters import Oracle, open_oracle
from sinehil.model.tflite import Quantization
from sinehil.verify.probes import exhaustive_floats

# 1 -> 1, weight 64, one scale for all: the output code is the input code, so the interpreter shows its quantiser.
SCALES = [np.float32(scale) for scale in (6.2831855 / 255, 0.1, 1 / 3, 0.0123456, 7e-6, 1234.5, 1.0)]
ZERO_POINTS = (-128, -1, 0, 57, 127)
REFERENCE = ("litert-ref", "tflm")


def identity_oracle(quantization: Quantization, oracle: str) -> Oracle:
    half = Layer(
        weights=np.array([[64]], np.int8),
        bias=None,
        weight_scales=np.array([1 / 64], np.float32),
        output=quantization,
        activation="NONE",
    )
    return open_oracle(oracle, Net(quantization, (half,)).model())


@pytest.mark.parametrize("oracle", ORACLES)
@pytest.mark.parametrize("zero_point", ZERO_POINTS)
@pytest.mark.parametrize("scale", SCALES)
def test_both_neighbours_of_a_step_differ_by_one_code(
    scale: np.float32, zero_point: int, oracle: str
) -> None:
    quantization = Quantization(scale, zero_point)
    steps = arithmetic_of(oracle).quantizer_steps(quantization)
    y = identity_oracle(quantization, oracle).predict(steps.ravel()).reshape(255, 2)
    codes = np.rint(y / scale) + zero_point
    np.testing.assert_array_equal(codes[:, 0], np.arange(-128, 127))
    np.testing.assert_array_equal(codes[:, 1], np.arange(-127, 128))
    np.testing.assert_array_equal(np.nextafter(steps[:, 0], np.float32(np.inf)), steps[:, 1])


@pytest.mark.parametrize("oracle", ORACLES)
def test_random_floats_and_bit_patterns_get_the_interpreters_code(oracle: str) -> None:
    random = np.random.default_rng(7)
    patterns = random.integers(0, 2**32, 20_000, dtype=np.uint32).view(np.float32)
    for scale in SCALES:
        quantization = Quantization(scale, int(random.integers(-128, 128)))
        x = np.concatenate([patterns, (random.normal(0, 100, 20_000) * scale).astype(np.float32)])
        expected = identity_oracle(quantization, oracle).predict(x)
        codes = arithmetic_of(oracle).quantize_input(x, quantization)
        np.testing.assert_array_equal(dequantize(codes, quantization), expected)


@pytest.mark.parametrize("oracle", ORACLES)
@pytest.mark.parametrize("scale", [1e-18, 3e-4, 0.1, 0.7, 1.0, 6e5, 1e18])
@pytest.mark.parametrize("zero_point", ZERO_POINTS)
def test_the_probes_get_the_interpreters_code(scale: float, zero_point: int, oracle: str) -> None:
    quantization = Quantization(np.float32(scale), zero_point)
    probes = arithmetic_of(oracle).quantizer_probes(quantization)
    expected = identity_oracle(quantization, oracle).predict(probes)
    codes = arithmetic_of(oracle).quantize_input(probes, quantization)
    np.testing.assert_array_equal(dequantize(codes, quantization), expected)


@pytest.mark.parametrize("oracle", ORACLES)
@pytest.mark.parametrize("zero_point", ZERO_POINTS)
def test_between_two_probes_of_the_same_code_there_is_no_other(zero_point: int, oracle: str) -> None:
    """So the probes decide every float32: what is between neighbouring probes has the code of both."""
    rules, quantization = arithmetic_of(oracle), Quantization(np.float32(0.0123), zero_point)
    probes = np.unique(rules.quantizer_probes(quantization))
    probes = probes[~np.isnan(probes)]
    codes = rules.quantize_input(probes, quantization)
    gaps = ordered(probes[1:]) - ordered(probes[:-1])
    np.testing.assert_array_equal(codes[1:][gaps > 1], codes[:-1][gaps > 1])
    between = np.random.default_rng(3).integers(0, np.maximum(gaps, 1)[:, None], (len(gaps), 300))
    x = unordered(ordered(probes[:-1])[:, None] + between)
    inside = rules.quantize_input(x, quantization)
    np.testing.assert_array_equal(inside, np.broadcast_to(codes[:-1, None], inside.shape))


@pytest.mark.parametrize("oracle", REFERENCE)
def test_beyond_the_range_of_int32_the_reference_quantisers_fall_back(oracle: str) -> None:
    rules = arithmetic_of(oracle)
    for zero_point, fallen in ((-1, 127), (0, -128), (5, -128)):
        quantization = Quantization(np.float32(0.1), zero_point)
        last = rules.last_ordered(quantization)
        beyond = np.nextafter(last, np.float32(np.inf))
        x = np.array([-beyond, -last, last, beyond, np.inf, -np.inf, np.nan], np.float32)
        assert rules.quantize_input(x, quantization).tolist() == [fallen, -128, 127, *[fallen] * 4]
        assert {last, beyond, -last, -beyond} <= set(rules.quantizer_probes(quantization).tolist())


def test_the_default_quantiser_saturates_and_takes_nan_for_the_highest() -> None:
    x = np.array([np.inf, -np.inf, np.nan, 3e38, -3e38], np.float32)
    codes = LITERT.quantize_input(x, Quantization(np.float32(0.1), -3))
    assert codes.tolist() == [127, -128, 127, 127, -128]


@pytest.mark.parametrize("oracle", REFERENCE)
def test_the_default_quantiser_in_place_of_the_reference_is_noticed(oracle: str) -> None:
    """Negative control: the probes of one oracle show the other's rule, at steps and far out."""
    quantization = Quantization(np.float32(6.2831855 / 255), -128)
    for probing in ("litert", oracle):
        probes = arithmetic_of(probing).quantizer_probes(quantization)
        right = identity_oracle(quantization, oracle).predict(probes)
        wrong = dequantize(LITERT.quantize_input(probes, quantization), quantization)
        assert np.count_nonzero(right != wrong) > 10
    assert len(exhaustive_floats(quantization, None, oracle)) == len(exhaustive_floats(quantization)) + 4


def test_the_usual_host_side_rounding_misses_steps() -> None:
    """Negative control: with np.round(x / s) + z in place of the oracle's rule the comparison fails."""
    missed = []
    for seed in range(8):
        model = random_net(seed, x_range=(0, 6 + seed / 7)).model()
        steps = LITERT.quantizer_steps(model.input).ravel()
        usual = np.clip(np.round(steps / model.input.scale) + model.input.zero_point, -128, 127)
        missed.append(int(np.sum(usual != LITERT.quantize_input(steps, model.input))))
    assert sum(missed) > 0
    assert max(missed) >= 3


def ordered(x: NDArray[Any]) -> NDArray[Any]:
    """Return each float32's place among all of them; both zeros share theirs."""
    bits = x.astype(np.float32).view(np.int32).astype(np.int64)
    return np.where(bits < 0, -(bits & 0x7FFFFFFF), bits)


def unordered(place: NDArray[Any]) -> NDArray[Any]:
    return np.where(place >= 0, place, -place | 0x80000000).astype(np.uint32).view(np.float32)
