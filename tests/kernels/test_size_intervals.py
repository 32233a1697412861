"""The size kernel where inputs are several: each accumulator that can occur, not only those that were looked at."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from chains import chain_net
from models import Layer, Net
from random_nets import any_net
from test_portable_forms import oracle_codes
from tests.sampling import first

from sinehil.model.arithmetic import ORACLES, arithmetic_of
from sinehil.model.arrays import Int64s
from sinehil.model.tflite import Quantization, QuantizedModel
from sinehil_kernels import generate_kernel
from sinehil_kernels.avr.machine import Machine
from sinehil_kernels.size.loop import Loop
from sinehil_kernels.size.loop_forms import (
    BYTE,
    FAR,
    LongForm,
    NeuronConstants,
    ShortForm,
    StepsForm,
    is_exact,
    with_edge,
)
from sinehil_kernels.size.loop_network import computed_network
from sinehil_kernels.size.loop_search import smallest_loop
from sinehil_kernels.value_ranges import LayerRanges, value_ranges

LISTED = 3_000_000
SATURATING = (0, 1, 5, 7, 13, 14)  # some came out wrong when only the steps were looked at


def saturating_net(seed: int) -> Net:
    """One layer whose steps lie close together, while its accumulators go far beyond the last of them."""
    rng = np.random.default_rng(seed)
    inputs, outputs = int(rng.choice([16, 32, 48, 64])), int(rng.choice([1, 1, 2]))
    scale = np.float32(0.02)
    layer = Layer(
        rng.integers(-127, 128, (outputs, inputs)).astype(np.int8),
        rng.integers(-20_000, 20_000, outputs).astype(np.int32),
        np.full(outputs, 0.01, np.float32),
        Quantization(np.float32(float(scale) * 0.01 * rng.uniform(3_000, 60_000) / 255), -128),
        "RELU" if rng.random() < 0.6 else "NONE",
    )
    ends = Quantization(scale, int(rng.integers(-128, 128)))
    return Net(ends, (layer,), float_input=False, float_output=False)


def every_accumulator(
    loop: Loop, layers: tuple[LayerRanges, ...]
) -> Iterator[tuple[NeuronConstants, LayerRanges]]:
    """Yield the constants of each neuron of an interval with all that can occur as its points."""
    planned = loop.layers[len(loop.layers) - len(layers) :]
    factor = 2 if loop.form.doubled else 1
    for layer, plan in zip(layers, planned, strict=True):
        for constants in plan.neurons:
            neuron = constants.neuron
            low, high = layer.neurons[neuron.number].span
            if not neuron.listed and low < high <= low + LISTED:
                points = factor * np.arange(low, high + 1)
                yield replace(constants, neuron=replace(neuron, points=points)), layer


def wanted_bytes(oracle: str, constants: NeuronConstants, layer: LayerRanges, factor: int) -> Int64s:
    neuron = constants.neuron
    codes = oracle_codes(oracle, layer.layer, neuron.number, neuron.points // factor)
    return np.clip(codes, layer.lowest, layer.highest) - neuron.floor


def assert_right_everywhere(model: QuantizedModel, oracle: str) -> int:
    """Hold the form on every accumulator, and what the loop leaves out because it never happens."""
    layers = value_ranges(model, oracle)
    loop = smallest_loop(computed_network(layers))
    assert loop is not None
    form, neurons = loop.form, 0
    for constants, layer in every_accumulator(loop, layers):
        top = constants.neuron.top if constants.neuron.saturates else BYTE
        bytes_ = form.bytes_of(constants)
        wanted = wanted_bytes(oracle, constants, layer, 2 if form.doubled else 1)
        np.testing.assert_array_equal(np.minimum(bytes_, top), wanted)
        neurons += 1
        if isinstance(form, StepsForm):
            continue
        assert loop.needs_ceiling or form.beyond(constants).max() <= BYTE
        assert loop.needs_floor or form.sums(constants).min() >= 0
        assert loop.needs_top or bytes_.max() <= top
        assert loop.needs_far or not isinstance(form, ShortForm) or not form.reaches_far(constants)
    return neurons


@pytest.mark.parametrize("seed", first(2, SATURATING))
def test_what_lies_far_beyond_the_last_step_saturates(seed: int) -> None:
    assert assert_right_everywhere(saturating_net(seed).model(), ORACLES[seed % 3]) > 0


def test_random_nets_are_right_on_every_accumulator() -> None:
    models = ((seed, any_net(seed, widest=12).model()) for seed in range(300, 320))
    neurons = sum(
        assert_right_everywhere(model, ORACLES[seed % 3]) for seed, model in models if model.inputs > 1
    )
    assert neurons > 40


@pytest.mark.parametrize("shape", first(1, [(4, 8, 3), (2, 64)]))
def test_tflm_has_a_line_on_each_side_of_zero(shape: tuple[int, ...]) -> None:
    """Ties are rounded away from 0, so that one line seldom serves both sides; two take a few bytes more."""
    model = chain_net(1, shape).model()
    assert assert_right_everywhere(model, "tflm") == sum(shape[1:])
    loop = smallest_loop(computed_network(value_ranges(model, "tflm")))
    assert loop is not None
    assert isinstance(loop.form, LongForm)
    assert loop.form.split
    kernels = [generate_kernel(model, oracle, "size") for oracle in ("litert", "tflm")]
    assert kernels[1].core_bytes < 1.5 * kernels[0].core_bytes
    exact = [is_exact(loop.form, constants) for constants in loop.constants]
    spoilt = [is_exact(loop.form, replace(each, below=each.addend)) for each in loop.constants]
    assert all(exact)
    assert not all(spoilt)  # negative control


def test_the_kernel_is_right_on_inputs_that_go_far(seed: int = 1) -> None:
    """What 10000 samples do not reach: each input at the end that makes the sum large, a few in between."""
    model, rng = saturating_net(seed).model(), np.random.default_rng(3)
    [layer] = value_ranges(model, "litert")
    kernel = generate_kernel(model, "litert", "size")
    assert kernel.program is not None
    largest = np.where(layer.layer.weights[0] > 0, 127, -128)
    for _ in range(300):
        x_q = np.where(
            rng.random(model.inputs) < rng.random(), rng.integers(-128, 128, model.inputs), largest
        )
        expected = arithmetic_of("litert").infer_codes(model, x_q.astype(np.int8).reshape(1, -1))
        assert Machine(kernel.program).call(x_q.tolist(), model.outputs).y_q == expected[0].tolist()


def test_a_line_that_runs_over_between_two_steps_is_not_exact() -> None:
    """Negative control: right at every step and at both ends, wrong just before FAR."""
    layers = value_ranges(saturating_net(0).model(), "litert")
    neuron = computed_network(layers)[-1].neurons[0]
    points = np.array([0, 16_321, FAR * 2])
    far = replace(neuron, points=points, wanted=np.array([0, 255, 255]), floor=0, top=255, listed=False)
    form = ShortForm(3, 2, True, 0, 2, True)
    line = NeuronConstants(far, 0, multiplier=FAR - 1)
    assert np.array_equal(form.bytes_of(line), far.wanted)
    assert not is_exact(form, line)
    assert with_edge(form, line).neuron.points.tolist() == [0, 16_321, FAR - 1, FAR * 2]
    assert is_exact(form, replace(line, neuron=replace(far, listed=True)))
