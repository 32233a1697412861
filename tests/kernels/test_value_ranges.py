"""What can come to a requantisation: everything is listed, or both sides of every step are."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from models import Net, Table
from nets import random_net, variety

from sinehil.errors import ArtefactError
from sinehil.model.arithmetic import ORACLES, accumulate, arithmetic_of
from sinehil.model.tflite import FullyConnected, QuantizedModel
from sinehil_kernels.value_ranges import AccumulatorDomain, LayerRanges, value_ranges

NETS = ("plain 1", "per-tensor 11", "relu6 20", "linear 30", "saturated 60", "raised floor 3")


def two_inputs(net: Net) -> QuantizedModel:
    """Return the net without its first layer, two of the second's inputs left: its accumulators are an interval."""
    second = replace(net.layers[1], weights=np.ascontiguousarray(net.layers[1].weights[:, :2]))
    return replace(
        net, input=net.layers[0].output, layers=(second, *net.layers[2:]), float_ends=False
    ).model()


@pytest.mark.parametrize("oracle", ORACLES)
@pytest.mark.parametrize("name", NETS, ids=[name.replace(" ", "-") for name in NETS])
def test_one_input_lists_every_accumulator_that_occurs(name: str, oracle: str) -> None:
    model = variety()[name].model()
    codes = np.arange(-128, 128).reshape(-1, 1)
    for layer, found in zip(model.dense_layers, value_ranges(model, oracle), strict=True):
        accumulators, outputs = accumulate(layer, codes), arithmetic_of(oracle).run_layer(layer, codes)
        for j, neuron in enumerate(found.neurons):
            assert neuron.listed
            assert set(neuron.accumulators.tolist()) == set(accumulators[:, j].tolist())
            by_accumulator = dict(zip(neuron.accumulators.tolist(), neuron.codes.tolist(), strict=True))
            assert [by_accumulator[value] for value in accumulators[:, j].tolist()] == outputs[:, j].tolist()
        assert found.trace is not None
        assert np.array_equal(found.trace.codes, outputs)
        assert np.array_equal(found.outputs, np.stack([outputs.min(axis=0), outputs.max(axis=0)], axis=1))
        codes = outputs


def every_code_between(
    layer: FullyConnected, neuron: int, found: AccumulatorDomain, oracle: str = "litert"
) -> None:
    """Hold the points against the oracle's function on the whole interval."""
    low, high = found.span
    every = np.arange(low, high + 1)
    rules = arithmetic_of(oracle)
    scaled = rules.requantize(layer, np.tile(every.reshape(-1, 1), (1, layer.outputs)))[:, neuron]
    codes = np.clip(scaled + layer.output.zero_point, *rules.code_limits(layer))
    assert np.array_equal(codes[np.searchsorted(every, found.accumulators)], found.codes)
    steps = np.flatnonzero(np.diff(codes))
    points = set(found.accumulators.tolist())
    assert {low, high} <= points
    assert set(every[steps].tolist()) | set(every[steps + 1].tolist()) <= points, "both sides of every step"


@pytest.mark.parametrize("oracle", ORACLES)
@pytest.mark.parametrize("seed", range(3))
def test_several_inputs_bound_the_interval_and_show_every_step(seed: int, oracle: str) -> None:
    model = two_inputs(random_net(seed, width=2))
    layer, found = model.dense_layers[0], value_ranges(model, oracle)[0]
    corners = np.array([(a, b) for a in (-128, 127) for b in (-128, 127)], np.int64)
    sums = accumulate(layer, corners)
    for j, neuron in enumerate(found.neurons):
        assert not neuron.listed
        assert neuron.span == (sums[:, j].min(), sums[:, j].max())
        every_code_between(layer, j, neuron, oracle)


def test_a_missing_step_would_be_noticed() -> None:
    """Negative control for the comparison above."""
    model = two_inputs(random_net(0, width=2))
    neuron = value_ranges(model, "litert")[0].neurons[0]
    middle = len(neuron.codes) // 2
    less = AccumulatorDomain(
        np.delete(neuron.accumulators, middle), np.delete(neuron.codes, middle), listed=False
    )
    with pytest.raises(AssertionError, match="both sides of every step"):
        every_code_between(model.dense_layers[0], 0, less)


def test_deeper_layers_see_no_more_than_the_ones_before_give() -> None:
    found: tuple[LayerRanges, ...] = value_ranges(two_inputs(random_net(5)), "litert")
    for before, after in pairwise(found):
        assert np.array_equal(after.inputs, before.outputs)
    assert (found[0].inputs == [-128, 127]).all()


def test_an_overflow_is_refused() -> None:
    model = random_net(3).model()
    first = replace(model.dense_layers[0], bias=np.full(16, 2**31 - 5, np.int32))
    with pytest.raises(ArtefactError, match="32 bits"):
        value_ranges(replace(model, layers=(first, *model.layers[1:])), "litert")


def with_tables(net: Net) -> Net:
    """Return the net with a TANH on its input codes and a LOGISTIC behind its second layer."""
    first, second, third = net.layers
    tables = (Table("TANH"), first, second, Table("LOGISTIC"), Table("TANH"), third)
    return replace(net, layers=tables, float_ends=False)


@pytest.mark.parametrize("oracle", ORACLES)
def test_tables_stand_where_the_model_has_them(oracle: str) -> None:
    model = with_tables(random_net(3, activation="NONE")).model()
    found = value_ranges(model, oracle)
    assert [item.table is None for item in found] == [True, False, True]
    assert [item.input_table is None for item in found] == [False, True, True]
    assert found[-1].trace is not None
    codes = np.arange(-128, 128).astype(np.int8)
    assert np.array_equal(found[-1].trace.codes, arithmetic_of(oracle).infer_codes(model, codes))
    assert found[1].trace is not None
    assert not np.array_equal(found[1].trace.raw, found[1].trace.codes)


def test_an_interval_goes_through_a_table() -> None:
    net = with_tables(random_net(4, activation="NONE"))
    second = replace(net.layers[2], weights=np.ascontiguousarray(net.layers[2].weights[:, :2]))
    model = replace(net, layers=(second, *net.layers[3:])).model()
    rules = arithmetic_of("litert")
    found = value_ranges(model, "litert")[0]
    x = np.random.default_rng(1).integers(-128, 128, (2000, 2))
    codes = x
    for layer in model.layers[:3]:
        codes = rules.run_layer(layer, codes)
    assert (codes.min(axis=0) >= found.outputs[:, 0]).all()
    assert (codes.max(axis=0) <= found.outputs[:, 1]).all()
    assert (found.outputs[:, 1] - found.outputs[:, 0] < 255).any()
