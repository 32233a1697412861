"""Kernels of several inputs on both sides of every step of every neuron, run as they are.

Random inputs seldom meet a step, and the proof is about formulas. Here one layer has weights with which every
accumulator of its interval is the sum of some input, so that the whole kernel can be asked about each point of the
proof.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from chains import chain_net
from models import Layer, Net
from tests.sampling import first

from sinehil.errors import ToolError
from sinehil.model.arithmetic import ORACLES, arithmetic_of
from sinehil.model.arrays import Int64s
from sinehil.model.tflite import Quantization, QuantizedModel
from sinehil_kernels import generate_kernel
from sinehil_kernels.avr.assembly import Assembly, Instruction, Program
from sinehil_kernels.avr.machine import Machine
from sinehil_kernels.avr.neuron_points import PlacedNeuron, try_points
from sinehil_kernels.avr.trial import trial_inputs
from sinehil_kernels.native_kernel import HostKernel
from sinehil_kernels.size.loop import Loop
from sinehil_kernels.size.loop_assembly import loop_program
from sinehil_kernels.size.loop_forms import NeuronConstants, is_exact
from sinehil_kernels.size.loop_network import computed_network
from sinehil_kernels.size.loop_search import smallest_loop
from sinehil_kernels.size.size_kernel import placed_neurons
from sinehil_kernels.speed.stage_assembly import unrolled
from sinehil_kernels.speed.stage_plan import plan
from sinehil_kernels.value_ranges import value_ranges

LARGE, NEURONS, SEEDS = 127, 4, 12


def reaching_net(seed: int) -> Net:
    """Return a layer whose neurons sum up ``sign * (127 a + b + 127 c)``, or without c, at scales of their own."""
    random = np.random.default_rng(seed)
    row = np.array([LARGE, 1, LARGE * int(random.integers(2))])
    units_a_code = np.exp(random.uniform(np.log(3), np.log(700), NEURONS))
    weights = np.outer(random.choice([-1, 1], NEURONS), row).astype(np.int8)
    layer = Layer(
        weights,
        random.integers(-20_000, 20_000, NEURONS).astype(np.int32),
        (0.01 / units_a_code).astype(np.float32),
        Quantization(np.float32(0.01), int(random.choice([-128, 127, random.integers(-128, 128)]))),
        str(random.choice(["NONE", "RELU", "RELU6"])),
    )
    ends = Quantization(np.float32(1), int(random.integers(-128, 128)))
    return Net(ends, (layer,), float_input=False, float_output=False)


def inputs_for(model: QuantizedModel, neuron: int, accumulators: Int64s) -> Int64s:
    """Return inputs [n, 3] for which a neuron has these accumulators."""
    [layer] = model.dense_layers
    weights = layer.weights[neuron].astype(np.int64)
    shifted = accumulators - int(layer.bias[neuron]) + layer.input.zero_point * int(weights.sum())
    wanted = shifted * int(np.sign(weights[0]))
    lowest, highest = (-256, 254) if weights[2] else (-128, 127)
    times = np.clip(np.rint(wanted / LARGE).astype(np.int64), lowest, highest)
    a = np.clip(times, -128, 127)
    found = np.stack([a, wanted - LARGE * times, times - a], axis=1)
    assert found.min() >= -128
    assert found.max() <= 127
    return found


def points(model: QuantizedModel, oracle: str) -> Int64s:
    """Return inputs for both sides of every step, and for both ends, of every neuron."""
    [layer] = value_ranges(model, oracle)
    found = [inputs_for(model, number, neuron.accumulators) for number, neuron in enumerate(layer.neurons)]
    return np.unique(np.concatenate(found), axis=0)


def wrong(model: QuantizedModel, oracle: str, program: Program | None, inputs: Int64s) -> int:
    """Count the inputs on which a program is wrong; without one, portable C on this machine."""
    if program is None:
        kernel = generate_kernel(model, oracle, "portable")
        found = HostKernel(kernel, model.outputs).infer(inputs.astype(np.int8)).astype(np.int64)
    else:
        machine = Machine(program)
        found = np.array([machine.call(x_q, model.outputs).y_q for x_q in inputs.tolist()])
    return int((found != arithmetic_of(oracle).infer_codes(model, inputs)).any(axis=1).sum())


@pytest.mark.parametrize("engine", ["speed", "size", "portable"])
@pytest.mark.parametrize("oracle", first(1, ORACLES))
def test_the_whole_kernel_is_right_on_both_sides_of_every_step(oracle: str, engine: str) -> None:
    asked = 0
    for seed in range(SEEDS):
        model = reaching_net(seed).model()
        kernel, inputs = generate_kernel(model, oracle, engine), points(model, oracle)
        assert (kernel.program is None) is (engine == "portable")
        assert wrong(model, oracle, kernel.program, inputs) == 0, seed
        asked += len(inputs)
    print(f"{oracle} {engine}: {asked} inputs")  # noqa: T201
    assert asked > 300 * SEEDS


def test_a_multiplier_that_is_one_more_is_noticed() -> None:
    """Negative control."""
    made = noticed = 0
    for seed in range(SEEDS):
        model = reaching_net(seed).model()
        kernel, inputs = generate_kernel(model, "litert", "speed"), points(model, "litert")
        assert kernel.program is not None
        for spoilt in one_more(kernel.program):
            noticed += wrong(model, "litert", spoilt, inputs) > 0
            made += 1
    print(f"{noticed} of {made} noticed")  # noqa: T201
    assert noticed > 0.8 * made > 20


def test_the_generator_itself_notices_it_by_the_points_of_its_proof() -> None:
    """Where 80 samples often do not: in a second or third look, or in what follows many neurons."""
    by_points = by_samples = made = 0
    for seed, shape in ((1, (5, 9, 4)), (2, (4, 8, 3)), (3, (2, 8, 8, 1))):
        model = chain_net(seed, shape).model()
        whole, samples = unrolled([plan(value_ranges(model, "litert"))]), trial_inputs(model)
        assert whole is not None
        assert try_points(whole.program, whole.neurons) > 1000
        for spoilt in one_more(whole.program):
            made += 1
            by_samples += wrong(model, "litert", spoilt, samples) > 0
            by_points += is_noticed(spoilt, whole.neurons)
    print(f"{made} spoilt: points notice {by_points}, samples {by_samples}")  # noqa: T201
    assert by_points > 0.9 * made
    assert by_samples < by_points


def test_the_generator_itself_notices_it_in_the_smallest_kernel() -> None:
    """Where the formula says so, and nowhere else."""
    by_points = by_samples = made = 0
    for seed, shape in ((1, (5, 9, 4)), (2, (4, 8, 3)), (3, (2, 8, 8, 1))):
        model = chain_net(seed, shape).model()
        loop, samples = smallest_loop(computed_network(value_ranges(model, "litert"))), trial_inputs(model)
        assert loop is not None
        for spoilt, constants in more_in_loop(loop):
            program = loop_program(spoilt)
            noticed = is_noticed(program, placed_neurons(spoilt, program))
            assert noticed is not is_exact(loop.form, constants)
            made += 1
            by_points += noticed
            by_samples += wrong(model, "litert", program, samples) > 0
    print(f"{made} spoilt: formula and points notice {by_points}, samples {by_samples}")  # noqa: T201
    assert by_points > 0.4 * made
    assert by_samples < by_points


def is_noticed(program: Program, neurons: Iterable[PlacedNeuron]) -> bool:
    """Whether the generator would refuse the program for what it does on points of the proof."""
    try:
        assert try_points(program, list(neurons)) > 1000
    except ToolError as error:
        return "points of its proof" in error.message
    return False


def more_in_loop(loop: Loop) -> Iterator[tuple[Loop, NeuronConstants]]:
    """Yield the loop with the multiplier of one neuron larger, by 1 or a thousandth, and that neuron's constants."""
    for number, layer in enumerate(loop.layers):
        for (at, constants), thousandth in product(enumerate(layer.neurons), (False, True)):
            more = constants.multiplier // 1000 if thousandth else 1
            larger = replace(constants, multiplier=constants.multiplier + more)
            neurons = (*layer.neurons[:at], larger, *layer.neurons[at + 1 :])
            layers = (*loop.layers[:number], replace(layer, neurons=neurons), *loop.layers[number + 1 :])
            yield replace(loop, layers=layers), larger


def one_more(program: Program) -> Iterator[Program]:
    """Yield the program with the first factor of one requantisation larger by 1."""
    for at, item in enumerate(program.items):
        if isinstance(item, Instruction) and item.note.startswith("multiplier"):
            register, factor = item.operands
            items = list(program.items)
            items[at] = replace(item, operands=(register, (int(factor) + 1) & 0xFF))
            yield Assembly(items).assemble()
