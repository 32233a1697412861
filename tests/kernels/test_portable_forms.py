"""The integer forms of requantisation: right on the points they were found for, and between them, without a wrap."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from random_nets import any_net

from sinehil.model.arithmetic import ORACLES, arithmetic_of
from sinehil.model.arrays import Int64s
from sinehil.model.tflite import FullyConnected
from sinehil_kernels.portable.layer_plan import Form, LayerPlan, plan_layers
from sinehil_kernels.portable.oracle_requantization import OracleForm
from sinehil_kernels.portable.requantization import (
    LONG,
    SHORT,
    WORD,
    Line,
    Scheme,
    Steps,
    find_line,
    find_steps,
    is_exact,
)
from sinehil_kernels.value_ranges import AccumulatorDomain, value_ranges

LISTED = 300_000
ALL = [*SHORT, WORD, *LONG]


def interval_plans(seeds: range, oracle: str) -> Iterator[LayerPlan]:
    for seed in seeds:
        model = any_net(seed).model()
        if model.inputs > 1:
            yield from plan_layers(value_ranges(model, oracle), oracle)


def oracle_codes(oracle: str, layer: FullyConnected, neuron: int, accumulators: Int64s) -> Int64s:
    """Return codes before the clamp."""
    alone = replace(
        layer,
        weights=layer.weights[[neuron]],
        bias=layer.bias[[neuron]],
        weight_scales=layer.weight_scales[[neuron]],
    )
    rounded = arithmetic_of(oracle).requantize(alone, accumulators.reshape(-1, 1))
    return rounded[:, 0] + layer.output.zero_point


def as_in_c(line: Line, scheme: Scheme, t: Int64s) -> Int64s:
    """Return the line in the unsigned widths of the C text, where what does not fit is lost."""
    wide = np.uint32 if scheme.bits == 16 or scheme.drop == 0 else np.uint64
    shifted = (t << scheme.up).astype(np.uint16 if scheme.bits == 16 else np.uint32)
    product = shifted.astype(wide) * wide(line.multiplier) >> wide(scheme.drop)
    word = np.uint16 if scheme.bits == 16 else np.uint32
    u: Int64s = ((product.astype(word) + word(line.offset)) >> word(scheme.shift)).astype(np.int64)
    return u


def result(form: Form, layer: LayerPlan, accumulators: Int64s) -> Int64s:
    if isinstance(form, Steps):
        return form(accumulators)
    if isinstance(form, OracleForm):
        codes = form(accumulators, layer.ranges.layer.output.zero_point)
        return np.clip(codes, layer.ranges.lowest, layer.ranges.highest) - layer.ranges.lowest
    t = accumulators - form.base
    u = as_in_c(form, layer.scheme, np.maximum(t, 0))
    if form.limit is not None:
        u = np.where(t > form.limit, layer.highest, u)
    return np.where(t < 0, 0, u)


@pytest.mark.parametrize("oracle", ORACLES)
def test_every_accumulator_of_an_interval_comes_out_right_though_only_the_steps_were_looked_at(
    oracle: str,
) -> None:
    neurons = listed = 0
    kinds = set()
    for layer in interval_plans(range(300, 350), oracle):
        lowest, highest = layer.ranges.lowest, layer.ranges.highest
        for neuron, form in zip(layer.neurons, layer.forms, strict=True):
            low, high = layer.ranges.neurons[neuron].span
            if high - low > LISTED or high == low:
                continue
            accumulators = np.arange(low, high + 1)
            codes = oracle_codes(oracle, layer.ranges.layer, neuron, accumulators)
            expected = np.clip(codes, lowest, highest) - lowest
            np.testing.assert_array_equal(result(form, layer, accumulators), expected)
            neurons, listed = neurons + 1, listed + len(accumulators)
            kinds.add("own" if isinstance(form, OracleForm) else (layer.scheme.bits, layer.scheme.drop))
    assert neurons > 200
    assert listed > 5_000_000
    assert kinds >= {(16, 16), (32, 0), (32, 8), (32, 16)}
    assert ("own" in kinds) == (oracle != "litert-ref")  # a product rounded once has a line


def test_one_changed_constant_is_noticed_by_the_proof() -> None:
    """Negative control: a multiplier 3 % off, or an offset that is worth a code, is not exact any more."""
    busy = 0
    for layer in interval_plans(range(300, 320), "litert"):
        lowest, highest, scheme = layer.ranges.lowest, layer.ranges.highest, layer.scheme
        for neuron, form in zip(layer.neurons, layer.forms, strict=True):
            points = layer.ranges.neurons[neuron]
            if not isinstance(form, Line) or np.ptp(points.codes) < 100:
                continue
            busy += 1
            assert is_exact(form, points, lowest, highest, scheme)
            for spoilt in (
                replace(form, multiplier=form.multiplier * 33 // 32),
                replace(form, offset=form.offset + (1 << scheme.shift)),
                replace(form, base=form.base + np.ptp(points.accumulators) // 64),
            ):
                assert not is_exact(spoilt, points, lowest, highest, scheme)
    assert busy > 30


def test_narrow_sums_tell_what_is_below_zero_though_they_have_16_bits() -> None:
    narrow = 0
    for layer in interval_plans(range(400, 440), "litert"):
        if layer.narrow:
            low, high = int(layer.spans.min()), int(layer.spans.max())
            t = np.arange(low, high + 1)
            wrapped = t.astype(np.uint16).astype(np.int64)
            np.testing.assert_array_equal(wrapped > layer.ceiling, t < 0)
            np.testing.assert_array_equal(wrapped[t >= 0], t[t >= 0])
            narrow += 1
    assert narrow > 12


def step_function(
    slope: float, low: int, high: int, listed: int | None, random: np.random.Generator
) -> AccumulatorDomain:
    accumulators = np.arange(low, high)
    if listed is not None:
        accumulators = np.sort(random.choice(accumulators, listed, replace=False))
    codes = np.clip(np.rint(accumulators.astype(np.float32) * np.float32(slope)).astype(np.int64), -100, 127)
    return AccumulatorDomain(accumulators, codes, listed=listed is not None)


@pytest.mark.parametrize("scheme", ALL, ids=str)
def test_each_scheme_is_exact_wherever_it_finds_a_line(scheme: Scheme) -> None:
    random = np.random.default_rng(4)
    found = 0
    for slope in 10 ** random.uniform(-3.5, 0, 60):
        neuron = step_function(slope, -40_000, 40_000, 256, random)
        for limited in (False, True):
            line = find_line(neuron, -100, 127, scheme, limited=limited)
            if line is not None:
                found += 1
                expected = neuron.codes + 100
                np.testing.assert_array_equal(line(neuron.accumulators, scheme, 227), expected)
                t = neuron.accumulators[neuron.accumulators >= line.base] - line.base
                inside = t if line.limit is None else t[t <= line.limit]
                np.testing.assert_array_equal(
                    as_in_c(line, scheme, inside), expected[-len(t) :][: len(inside)]
                )
        np.testing.assert_array_equal(find_steps(neuron, -100)(neuron.accumulators), neuron.codes + 100)
    assert found > 5


def test_a_longer_product_finds_lines_where_a_shorter_one_has_none() -> None:
    random = np.random.default_rng(5)
    neurons = [
        step_function(slope, -90_000, 90_000, None, random) for slope in random.uniform(0.001, 0.003, 20)
    ]
    counts = [
        sum(find_line(neuron, -100, 127, scheme, limited=True) is not None for neuron in neurons)
        for scheme in (WORD, LONG[1], LONG[0])
    ]
    assert counts[0] < counts[1] <= counts[2]


@pytest.mark.parametrize("scheme", ALL, ids=str)
def test_no_line_is_found_where_there_is_none(scheme: Scheme) -> None:
    sums = np.arange(100)
    for codes in (np.where(sums % 2, 10, 20), (sums * sums) // 100, np.where(sums == 50, 99, sums)):
        neuron = AccumulatorDomain(sums, codes, listed=True)
        assert find_line(neuron, -128, 127, scheme, limited=True) is None
        assert find_line(neuron, -128, 127, scheme, limited=False) is None


@pytest.mark.parametrize("codes", [(-100, -100, -100), (127, 127, 127), (-100, 127, 127), (-100, -100, 127)])
@pytest.mark.parametrize("scheme", [SHORT[0], SHORT[-1], WORD, LONG[0]], ids=str)
def test_neurons_that_are_always_at_a_clamp_have_a_flat_line(codes: tuple[int, ...], scheme: Scheme) -> None:
    neuron = AccumulatorDomain(np.array([-70_000, 3, 60_000]), np.array(codes), listed=True)
    line = find_line(neuron, -100, 127, scheme, limited=True)
    assert line is not None
    assert line.multiplier == 0
    np.testing.assert_array_equal(line(neuron.accumulators, scheme, 227), np.array(codes) + 100)
