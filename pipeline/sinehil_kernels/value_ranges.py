"""Compute which accumulators can occur in each neuron, and the code that the oracle gives for each.

With one input, the 256 codes are run and everything that occurs is listed. With several, each neuron's accumulators
lie in the interval that its weights and its inputs' ranges allow; the oracle's requantisation is a monotone step
function there, so that a monotone form which is right on both sides of every step, and at both ends, is right
everywhere.
"""

from dataclasses import dataclass, replace

import numpy as np

from sinehil.errors import ArtefactError
from sinehil.model.arithmetic import Arithmetic, accumulate, arithmetic_of
from sinehil.model.arrays import Int64s
from sinehil.model.tflite import FullyConnected, Lookup, QuantizedModel

ALL_CODES = np.arange(-128, 128, dtype=np.int64)


@dataclass(frozen=True)
class AccumulatorDomain:
    """``accumulators`` [n] ascending, and the oracle's output code of each, [n].

    ``listed``: these are all that occur. Otherwise they are the ends of the interval and both sides of each step in it.
    """

    accumulators: Int64s
    codes: Int64s
    listed: bool

    @property
    def span(self) -> tuple[int, int]:
        """The lowest and the highest accumulator."""
        return int(self.accumulators[0]), int(self.accumulators[-1])

    @property
    def count(self) -> int:
        """How many accumulators are meant: those listed, or all of the interval."""
        low, high = self.span
        return len(self.accumulators) if self.listed else high - low + 1


@dataclass(frozen=True)
class LayerTrace:
    """What one layer does on each of the 256 input codes of a one-input model, [256, out] each.

    ``codes`` is what it hands on: ``raw``, what requantisation gives, through the layer's table if it has one.
    """

    accumulators: Int64s
    raw: Int64s
    codes: Int64s


@dataclass(frozen=True)
class LayerRanges:
    """``inputs`` [in, 2] and ``outputs`` [out, 2] are lowest and highest codes; ``trace`` is for one-input models.

    A ``table`` [256] gives the code handed on for each raw code, that of -128 first; ``input_table``, which only a
    first layer can have, does so for the model's input codes. ``inputs`` and ``outputs`` are behind the tables.
    """

    layer: FullyConnected
    lowest: int  # what the activation allows
    highest: int
    inputs: Int64s
    outputs: Int64s
    neurons: tuple[AccumulatorDomain, ...]
    trace: LayerTrace | None
    table: Int64s | None = None
    input_table: Int64s | None = None


def value_ranges(model: QuantizedModel, oracle: str) -> tuple[LayerRanges, ...]:
    """Follow the codes through the layers; ArtefactError if an accumulator could leave 32 bits."""
    rules = arithmetic_of(oracle)
    input_table, layers = _grouped(model, rules)
    every = ALL_CODES if input_table is None else input_table
    inputs: Int64s = np.tile([every.min(), every.max()], (model.inputs, 1))
    codes = every.reshape(-1, 1) if model.inputs == 1 else None
    found: list[LayerRanges] = []
    for layer, table in layers:
        if codes is None:
            found.append(_interval_ranges(rules, layer, inputs, table))
        else:
            found.append(_listed_ranges(rules, layer, inputs, codes, table))
        trace = found[-1].trace
        inputs, codes = found[-1].outputs, None if trace is None else trace.codes
    found[0] = replace(found[0], input_table=input_table)
    return tuple(found)


def _grouped(
    model: QuantizedModel, rules: Arithmetic
) -> tuple[Int64s | None, list[tuple[FullyConnected, Int64s | None]]]:
    """Return the table before the first layer, and each layer with the table behind it; None where there is none."""
    first: Int64s | None = None
    layers: list[tuple[FullyConnected, Int64s | None]] = []
    for item in model.layers:
        if isinstance(item, FullyConnected):
            layers.append((item, None))
        elif layers:
            layers[-1] = (layers[-1][0], _after(layers[-1][1], item, rules))
        else:
            first = _after(first, item, rules)
    return first, layers


def _after(table: Int64s | None, lookup: Lookup, rules: Arithmetic) -> Int64s:
    """Return one table for ``table``, if any, and then ``lookup``."""
    added = rules.lookup(lookup).astype(np.int64)
    return added if table is None else added[table + 128]


def _listed_ranges(
    rules: Arithmetic, layer: FullyConnected, inputs: Int64s, codes: Int64s, table: Int64s | None
) -> LayerRanges:
    accumulators = accumulate(layer, codes)
    _check_range(layer, accumulators)
    raw = _codes(rules, layer, accumulators)
    handed_on = raw if table is None else table[raw + 128]
    ends: Int64s = np.stack([handed_on.min(axis=0), handed_on.max(axis=0)], axis=1)
    neurons = tuple(map(_distinct, accumulators.T, raw.T))
    trace = LayerTrace(accumulators, raw, handed_on)
    return LayerRanges(layer, *rules.code_limits(layer), inputs, ends, neurons, trace, table)


def _distinct(accumulators: Int64s, codes: Int64s) -> AccumulatorDomain:
    values, first = np.unique(accumulators, return_index=True)
    return AccumulatorDomain(values, codes[first], listed=True)


def _interval_ranges(
    rules: Arithmetic, layer: FullyConnected, inputs: Int64s, table: Int64s | None
) -> LayerRanges:
    spans = _spans(layer, inputs)
    _check_range(layer, spans)
    steps = _steps(rules, layer, spans)
    points = [_points(low, high, steps[:, j]) for j, (low, high) in enumerate(spans.T.tolist())]
    neurons = tuple(
        AccumulatorDomain(at, _codes_of(rules, layer, j, at), listed=False) for j, at in enumerate(points)
    )
    raw_ends = _codes(rules, layer, spans).T
    ends = raw_ends if table is None else _through(table, raw_ends)
    return LayerRanges(layer, *rules.code_limits(layer), inputs, ends, neurons, None, table)


def _points(low: int, high: int, steps: Int64s) -> Int64s:
    """Return both ends of an interval and both sides of the steps in it, ascending."""
    inside = steps[(steps > low) & (steps <= high)]
    return np.unique(np.concatenate([[low, high], inside - 1, inside]))


def _through(table: Int64s, ends: Int64s) -> Int64s:
    """Return the lowest and highest entry of a table between two codes, for each pair of ``ends`` [out, 2]."""
    parts = [table[low + 128 : high + 129] for low, high in ends.tolist()]
    return np.array([(part.min(), part.max()) for part in parts], np.int64)


def _spans(layer: FullyConnected, inputs: Int64s) -> Int64s:
    """Return the lowest and highest accumulators, [2, out]: each input at the end that its weight's sign asks for."""
    weights = layer.weights.astype(np.int64)
    low, high = (inputs - layer.input.zero_point).T
    rising, falling = np.maximum(weights, 0), np.minimum(weights, 0)
    ends: Int64s = np.stack([rising @ low + falling @ high, rising @ high + falling @ low])
    return ends + layer.bias.astype(np.int64)


def _steps(rules: Arithmetic, layer: FullyConnected, spans: Int64s) -> Int64s:
    """Return, by bisection, the lowest accumulator that gives at least each code, [255, out]; or one past the span."""
    wanted = ALL_CODES[1:].reshape(-1, 1)
    low: Int64s = np.tile(spans[0] - 1, (255, 1))
    high: Int64s = np.tile(spans[1] + 1, (255, 1))
    while np.any(high - low > 1):
        middle = (low + high) // 2
        reached = _codes(rules, layer, middle) >= wanted
        low, high = np.where(reached, low, middle), np.where(reached, middle, high)
    return high


def _codes(rules: Arithmetic, layer: FullyConnected, accumulators: Int64s) -> Int64s:
    """Return the raw output codes [n, out]."""
    codes: Int64s = rules.requantize(layer, accumulators) + layer.output.zero_point
    return np.clip(codes, *rules.code_limits(layer))


def _codes_of(rules: Arithmetic, layer: FullyConnected, neuron: int, accumulators: Int64s) -> Int64s:
    every = np.tile(accumulators.reshape(-1, 1), (1, layer.outputs))
    return _codes(rules, layer, every)[:, neuron]


def _check_range(layer: FullyConnected, accumulators: Int64s) -> None:
    if np.abs(accumulators).max() >= 2**31:
        raise ArtefactError(f"layer {layer.name} overflows 32 bits", "quantise the model again")
