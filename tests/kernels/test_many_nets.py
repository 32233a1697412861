"""Random nets of every supported kind: kernels under sanitizers equal each real interpreter, and no failure hides."""

import re
from dataclasses import replace

import numpy as np
import pytest
from many_nets import batches, differences, trial, trial_of, try_batch
from models import with_source
from nets import random_net
from random_nets import any_net
from tests.sampling import extended

from sinehil.model.arithmetic import LITERT
from sinehil_kernels import GeneratedKernel, generate_kernel
from sinehil_kernels.avr.trial import trial_codes
from sinehil_kernels.portable.layer_plan import plan_layers
from sinehil_kernels.portable.oracle_requantization import OracleForm
from sinehil_kernels.value_ranges import value_ranges

NETS = {"litert": range(100), "litert-ref": range(100, 150), "tflm": range(200, 250)}
A_FEW = 12  # the others are extended
CONTROLS = range(500, 512)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("oracle", "seeds"),
    [
        *((oracle, seeds[:A_FEW]) for oracle, seeds in NETS.items()),
        *(extended(oracle, seeds[A_FEW:]) for oracle, seeds in NETS.items()),
    ],
)
def test_the_kernels_equal_the_interpreter(oracle: str, seeds: range) -> None:
    for batch in batches(seeds):
        assert try_batch(batch, oracle) == {}  # by seed, to be tried again by many_nets.py


def test_the_nets_are_of_every_kind() -> None:
    models = [any_net(seed).model() for seed in range(80)]
    plans = [layer for model in models for layer in plan_layers(value_ranges(model, "litert"), "litert")]
    assert (
        {model.inputs == 1 for model in models} == {model.outputs == 1 for model in models} == {True, False}
    )
    assert {len(model.dense_layers) for model in models} == {1, 2, 3, 4}
    assert max(model.inputs for model in models) > 50
    assert any(len(model.layers) > len(model.dense_layers) for model in models)
    assert {(model.float_input, model.float_output) for model in models} == {
        (first, last) for first in (True, False) for last in (True, False)
    }
    layers = [plan.ranges.layer for plan in plans]
    assert {layer.activation for layer in layers} == {"NONE", "RELU", "RELU6"}
    assert {-128, 127, 0} <= {layer.output.zero_point for layer in layers}
    several = [layer.weight_scales for layer in layers if layer.outputs > 1]
    assert {len(np.unique(scales)) == 1 for scales in several} == {True, False}
    assert max(int(np.abs(layer.bias).max()) for layer in layers) == 2**30
    assert any(not layer.bias.any() for layer in layers)
    assert {plan.narrow for plan in plans} == {plan.limited for plan in plans} == {True, False}
    assert any(isinstance(form, OracleForm) for plan in plans for form in plan.forms)


def test_most_nets_say_something() -> None:
    """A kernel that is only ever held against one code would be right by luck."""
    live = 0
    for seed in range(100):
        model = any_net(seed).model()
        live += len(np.unique(LITERT.infer_codes(model, trial_codes(model, 300)), axis=0)) > 20
    assert live > 40


def test_wrong_arithmetic_a_wrong_checksum_and_a_stray_read_are_each_found_by_their_seed() -> None:
    """Negative controls: of twelve nets three are spoiled, in one process."""
    trials = [trial(seed, "litert") for seed in CONTROLS]
    assert differences(trials) == {}
    wrong, checksum, stray = trials[2], trials[5], trials[8]
    trials[2] = replace(wrong, kernel=changed(wrong.kernel, r"\[j\] \+ \(", "[j] / 2 * 2 + ("))
    kernel = checksum.kernel
    trials[5] = replace(checksum, kernel=replace(kernel, weights_crc32=kernel.weights_crc32 ^ 1))
    trials[8] = replace(stray, kernel=changed(stray.kernel, r"i < (\d+); \+\+i\) a", r"i < \1 + 1; ++i) a"))
    found = differences(trials)
    assert set(found) == {wrong.seed, checksum.seed, stray.seed}
    assert re.fullmatch(r"\d+ codes, \d+ floats", found[wrong.seed])
    assert found[checksum.seed] == "the checksum"
    assert "AddressSanitizer" in found[stray.seed]


def changed(kernel: GeneratedKernel, pattern: str, to: str) -> GeneratedKernel:
    source, count = re.subn(pattern, to, kernel.source)
    assert count == 1
    return with_source(kernel, source)


def test_a_seed_gives_the_same_net_always() -> None:
    assert any_net(7).file() == any_net(7).file() != any_net(8).file()
    assert generate_kernel(any_net(7).model()) == generate_kernel(any_net(7).model())


@pytest.mark.parametrize("sign", [-1, 1])
def test_sanitizers_find_nothing_with_the_largest_weights_and_biases(sign: int) -> None:
    """-128 * 255 in every product, and biases up to the reader's limit: no sum may overflow on its way."""
    net = random_net(7)
    largest = np.full((16, 16), -128, np.int8), np.full(16, sign * 2**30, np.int32)
    extreme = replace(net.layers[1], weights=largest[0], bias=largest[1])
    model = replace(net, layers=(net.layers[0], extreme, net.layers[2])).model()
    assert differences([trial_of(model, oracle, 0) for oracle in NETS]) == {}
