"""Seeded samples for a model with several inputs, whose codes are too many to try them all.

Every byte here follows from the seed alone, whatever NumPy's version: PCG64's raw stream is part of its promise.
"""

from dataclasses import dataclass

import numpy as np

from sinehil.model.arithmetic import Arithmetic, arithmetic_of, dequantize
from sinehil.model.arrays import Bools, Codes, Float32s, Int64s
from sinehil.model.tflite import Quantization, QuantizedModel
from sinehil.verify import DEFAULT_SEED
from sinehil.verify.probes import edge_floats

LOWEST, HIGHEST = -128, 127
MIN_SAMPLES = 10_000
ATTEMPTS = 256
BENCH_SAMPLES = 512


class _SeededCodes:
    """A stream of codes from a seed."""

    def __init__(self, seed: int) -> None:
        self._bits = np.random.PCG64(seed)

    def codes(self, samples: int, inputs: int) -> Codes:
        """Return uniform codes [samples, inputs]."""
        wanted = samples * inputs
        raw = np.asarray(self._bits.random_raw(wanted // 8 + 1), dtype="<u8").view(np.int8)
        return raw[:wanted].reshape(samples, inputs)

    def extremes(self, samples: int, inputs: int) -> Codes:
        """Return codes that are the lowest or the highest."""
        return np.where(self.codes(samples, inputs) < 0, np.int8(LOWEST), np.int8(HIGHEST))


def sampled_codes(inputs: int, zero_point: int, count: int, seed: int) -> Codes:
    """Return ``count`` samples [count, inputs], no two alike: the regular ones below, extremes, random codes.

    Where they are no more than half of the rest, all combinations of extremes are there, else random ones.
    """
    seeded = _SeededCodes(seed)
    regular = np.concatenate([_flat(inputs, zero_point), _one_hot(inputs, zero_point), _every_code(inputs)])
    half = max(0, count - len(regular)) // 2
    extremes = _every_corner(inputs) if 2**inputs <= half else seeded.extremes(half, inputs)
    rows = _distinct(np.concatenate([regular, extremes]))
    while len(rows) < min(count, 256**inputs):
        rows = _distinct(np.concatenate([rows, seeded.codes(count - len(rows), inputs)]))
    return rows[:count]


def _distinct(rows: Codes) -> Codes:
    """Return the rows, in their order, without those that were there before."""
    first = np.unique(rows, axis=0, return_index=True)[1]
    return rows[np.sort(first)]


def bench_codes(inputs: int, zero_point: int, seed: int = DEFAULT_SEED) -> Codes:
    """Return the samples over which cycles are measured: uniform ones, and those that are extreme throughout."""
    flat = _flat(inputs, zero_point)
    return np.concatenate([flat, _SeededCodes(seed).codes(BENCH_SAMPLES - len(flat), inputs)])


def float_samples(input_: Quantization, inputs: int, count: int, seed: int) -> Float32s:
    """Return uniform x [count, inputs] over what the input's codes can represent."""
    low, high = dequantize(np.array([LOWEST, HIGHEST], np.int8), input_).astype(np.float64)
    raw = np.asarray(np.random.PCG64(seed).random_raw(count * inputs), np.uint64)
    x: Float32s = (low + (high - low) * (raw / 2.0**64)).astype(np.float32)
    return x.reshape(count, inputs)


def float_probes(model: QuantizedModel, oracle: str, seed: int) -> Float32s:
    """Return x [n, inputs] that decide the quantiser: pairs of rows around its steps, then its special values.

    The two rows of a pair differ at one input only, by one float32, between which the code goes up by one; the
    others are chosen so that the model's output changes too, for a step elsewhere would not be seen otherwise.
    The 255 steps take turns at the inputs, and every input gets a step of its own, so that a value that goes to
    another input is seen as well. Between its steps the quantiser is constant, as it is monotone.
    """
    seeded, rules = _SeededCodes(seed), arithmetic_of(oracle)
    pairs = _visible(model, rules, seeded, np.arange(255), np.arange(255) % model.inputs)
    seen = np.unique(pairs.position[pairs.visible])
    missing = np.setdiff1d(np.arange(model.inputs), seen)
    more = _visible(model, rules, seeded, 3 + 7 * missing % 250, missing)
    return np.concatenate(
        [_rows(model, rules, pairs), _rows(model, rules, more), _edges(model, oracle, seeded)]
    )


@dataclass(frozen=True)
class _Pairs:
    """For each pair: the step, where it is put, what the other inputs are [n, inputs], whether an output changes."""

    step: Int64s
    position: Int64s
    others: Codes
    visible: Bools


def _visible(
    model: QuantizedModel, rules: Arithmetic, seeded: _SeededCodes, step: Int64s, position: Int64s
) -> _Pairs:
    """Look for surroundings in which each step shows, trying the other inputs too where the wanted one never does."""
    count = len(step)
    found = _Pairs(step, position.copy(), seeded.codes(count, model.inputs), np.zeros(count, np.bool_))
    for attempt in range(ATTEMPTS):
        open_ = np.flatnonzero(~found.visible)
        if not len(open_):
            break
        at = (position[open_] + max(0, attempt - ATTEMPTS // 2)) % model.inputs
        others = seeded.codes(len(open_), model.inputs)
        below, above = others.copy(), others.copy()
        rows = np.arange(len(open_))
        below[rows, at], above[rows, at] = step[open_] + LOWEST, step[open_] + LOWEST + 1
        shows = np.any(rules.infer_codes(model, below) != rules.infer_codes(model, above), axis=1)
        found.position[open_], found.others[open_], found.visible[open_] = at, others, shows
    return found


def _rows(model: QuantizedModel, rules: Arithmetic, pairs: _Pairs) -> Float32s:
    """Return the pairs, one row below the other, [2 n, inputs]."""
    steps = rules.quantizer_steps(model.input)[pairs.step]
    x = np.repeat(dequantize(pairs.others, model.input), 2, axis=0)
    x[np.arange(len(x)), np.repeat(pairs.position, 2)] = steps.ravel()
    return x


def _edges(model: QuantizedModel, oracle: str, seeded: _SeededCodes) -> Float32s:
    """Return each special value at one input after the other, and at all of them at once."""
    values = edge_floats(model.input, None, oracle)
    single = dequantize(seeded.codes(len(values), model.inputs), model.input)
    single[np.arange(len(values)), np.arange(len(values)) % model.inputs] = values
    return np.concatenate([single, np.repeat(values[:, None], model.inputs, axis=1)])


def _flat(inputs: int, zero_point: int) -> Codes:
    """All lowest, all highest, all zero, both alternations."""
    alternating = np.where(np.arange(inputs) % 2, np.int8(HIGHEST), np.int8(LOWEST))
    whole = [np.full(inputs, code, np.int8) for code in (LOWEST, HIGHEST, zero_point)]
    return np.stack([*whole, alternating, ~alternating])


def _one_hot(inputs: int, zero_point: int) -> Codes:
    """Each input at both ends while the others are zero, and while they are at the other end."""
    rows = []
    for code, others in ((LOWEST, zero_point), (HIGHEST, zero_point), (LOWEST, HIGHEST), (HIGHEST, LOWEST)):
        block = np.full((inputs, inputs), others, np.int8)
        np.fill_diagonal(block, code)
        rows.append(block)
    return np.concatenate(rows)


def _every_corner(inputs: int) -> Codes:
    bits = np.arange(2**inputs)[:, None] >> np.arange(inputs) & 1
    return np.where(bits, np.int8(HIGHEST), np.int8(LOWEST))


def _every_code(inputs: int) -> Codes:
    """Every code at every input, in 256 samples."""
    return (np.arange(256)[:, None] + 37 * np.arange(inputs)).astype(np.uint8).view(np.int8)
