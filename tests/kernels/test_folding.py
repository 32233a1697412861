"""What is folded away: constant neurons, and those that no computed neuron has a weight for."""

from dataclasses import replace

import numpy as np
from nets import deep_net

from sinehil_kernels.folding import computed_neurons, folded_biases
from sinehil_kernels.value_ranges import LayerRanges, value_ranges


def layers() -> list[LayerRanges]:
    """Return two layers, 5 -> 9 -> 4, in which neuron 3 is constant and only neuron 6 has a weight of 0 everywhere."""
    first, second = value_ranges(deep_net(1).model(), "litert")
    outputs, weights = first.outputs.copy(), second.layer.weights.copy()
    outputs[:, 1] = np.maximum(outputs[:, 1], outputs[:, 0] + 1)
    outputs[3] = -5
    weights[:] = np.where(weights == 0, 1, weights)
    weights[:, 6] = 0
    return [replace(first, outputs=outputs), replace(second, layer=replace(second.layer, weights=weights))]


def test_constant_neurons_and_those_without_a_consumer_are_not_computed() -> None:
    for keep_outputs in (True, False):
        assert computed_neurons(layers(), keep_outputs=keep_outputs)[0] == [0, 1, 2, 4, 5, 7, 8]


def test_a_constant_output_is_computed_only_where_all_are_wanted_and_so_is_what_it_needs() -> None:
    first, second = layers()
    constant = replace(second, outputs=np.full_like(second.outputs, 7))
    assert computed_neurons([first, constant], keep_outputs=False) == [[], []]
    kept = computed_neurons([first, constant], keep_outputs=True)
    assert kept == [[0, 1, 2, 4, 5, 7, 8], [0, 1, 2, 3]]


def test_code_that_loops_has_one_neuron_at_least() -> None:
    first, second = layers()
    silent = replace(second, layer=replace(second.layer, weights=np.zeros_like(second.layer.weights)))
    assert computed_neurons([first, silent], keep_outputs=True)[0] == [0]
    assert computed_neurons([first, silent], keep_outputs=False)[0] == []


def test_biases_are_the_accumulators_at_the_codes_that_are_stored_as_zero() -> None:
    layer = layers()[1].layer
    codes = np.arange(-4, 5)
    expected = [
        sum(int(w) * (int(code) - layer.input.zero_point) for w, code in zip(row, codes, strict=True)) + bias
        for row, bias in zip(layer.weights.tolist(), layer.bias.tolist(), strict=True)
    ]
    assert folded_biases(layer, codes).tolist() == expected
