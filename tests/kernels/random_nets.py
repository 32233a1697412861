"""Any network that is supported, by seed: what a converter would never write is as likely as what it would."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
from models import Layer, Net, Table

from sinehil.model.arrays import Codes, Float64s, Int32s, Int64s
from sinehil.model.tflite import Quantization
from sinehil.model.tflite.limits import MAX_TABLE_SCALE, MIN_TABLE_SCALE

Random = np.random.Generator

SAMPLES = 256
# What the reader lets through: biases, what accumulators come to as codes, the factor between the two, scales.
LARGEST_BIAS, LARGEST_PRODUCT = 2**30, 1e9
LOWEST_FACTOR, HIGHEST_FACTOR = 1e-17, 250.0
LOWEST_OF_RELU6 = 1e-8  # below, 6 is no int32 as a code, and two of the interpreters refuse
LOWEST_SCALE, HIGHEST_SCALE = 1e-17, 1e17


def any_net(seed: int, *, widest: int = 64, one_to_one: bool = False) -> Net:
    """Return a net of 1 to 4 layers, up to ``widest`` wide, now and then with tables between them.

    About half have one input, and half one output; all of them with ``one_to_one``.
    """
    random = np.random.default_rng(seed)
    at_ends = 1.0 if one_to_one else 0.5
    ones = (at_ends, *random.choice([0.02, 0.1], random.integers(0, 4)), at_ends)
    widths = [_width(random, widest, one) for one in ones]
    first = before = Quantization(_scale(random), _zero_point(random, -128))
    codes = _some_codes(random, widths[0])
    layers: list[Layer | Table] = []
    for inputs, outputs in pairwise(widths):
        if random.random() < 0.12 and MIN_TABLE_SCALE < before.scale < MAX_TABLE_SCALE:
            layers.append(Table(str(random.choice(["TANH", "LOGISTIC"]))))
            before, codes = layers[-1].output, random.permuted(codes, axis=0)  # about as many codes
        weights = _weights(random, inputs, outputs)
        layer, results = _layer(random, weights, before, codes)
        if np.all(results == results[0]):  # constant; another draw may not be
            layer, results = _layer(random, weights, before, codes)
        layers.append(layer)
        before, codes = layer.output, results
    ends = random.integers(2, size=2).astype(bool)
    return Net(first, tuple(layers), float_input=bool(ends[0]), float_output=bool(ends[1]))


def _width(random: Random, widest: int, one: float) -> int:
    if random.random() < one:
        return 1
    return int(random.integers(1, min(widest, random.choice([8, 20, 64])) + 1))


def _scale(random: Random) -> np.float32:
    decades = 15 if random.random() < 0.15 else 3
    return np.float32(10 ** random.uniform(-decades, decades))


def _zero_point(random: Random, fitting: int) -> int:
    if random.random() < 0.8:
        return fitting
    return int(random.choice([-128, 127, 0, random.integers(-128, 128)]))


def _some_codes(random: Random, inputs: int) -> Int64s:
    if inputs == 1:
        return np.arange(-128, 128, dtype=np.int64).reshape(-1, 1)
    return random.integers(-128, 128, (SAMPLES, inputs))


def _weights(random: Random, inputs: int, outputs: int) -> Codes:
    shape = (outputs, inputs)
    kind = random.choice(["normal", "normal", "normal", "even", "sparse", "extreme", "tiny"])
    if kind == "even":
        return random.integers(-128, 128, shape).astype(np.int8)
    if kind == "extreme":
        return random.choice(np.array([-128, -127, 0, 127], np.int8), shape)
    if kind == "tiny":
        return random.integers(-2, 3, shape).astype(np.int8)
    normal = np.clip(np.rint(random.normal(0, 50, shape)), -127, 127)
    return np.where(random.random(shape) < (0.8 if kind == "sparse" else 0), 0, normal).astype(np.int8)


def _layer(random: Random, weights: Codes, before: Quantization, codes: Int64s) -> tuple[Layer, Int64s]:
    """Return a layer whose scales fit ``codes`` more or less, and about what it makes of them."""
    activation = str(random.choice(["NONE", "RELU", "RELU", "RELU6"]))
    sums = (codes - before.zero_point) @ weights.astype(np.int64).T
    bias = _bias(random, sums)
    if bias is not None:
        sums = sums + bias
    highest = min(
        HIGHEST_FACTOR, LARGEST_PRODUCT / 2 / (255 * np.abs(weights.astype(int)).sum(axis=1).max() + 1)
    )
    factors, fitting = _factors(random, np.maximum(sums, 0) if activation != "NONE" else sums)
    factors = np.minimum(factors, highest)
    output = Quantization(_scale(random), _zero_point(random, fitting))
    if activation == "RELU6" and (random.random() < 0.8 or output.scale < LOWEST_OF_RELU6):
        output = replace(output, scale=np.float32(6 / random.uniform(10, 400)))  # where 6 has a code
    scales = factors * float(output.scale) / float(before.scale)
    if scales.min() < LOWEST_SCALE or scales.max() > HIGHEST_SCALE:
        activation = activation.rstrip("6")
        output, scales = replace(output, scale=before.scale), factors
    if bias is not None:
        most = np.minimum(LARGEST_PRODUCT / 2 / factors, LARGEST_BIAS)
        bias = np.clip(bias, -most, most).astype(np.int32)
    results = np.clip(np.rint(sums * factors) + output.zero_point, -128, 127).astype(np.int64)
    if activation != "NONE":
        results = np.maximum(results, output.zero_point)
    return Layer(weights, bias, scales.astype(np.float32), output, activation), results


def _bias(random: Random, sums: Int64s) -> Int32s | None:
    """Return none; kinks where the codes are; kinks anywhere; or some so large that they alone decide."""
    kind = random.choice(["none", "fitted", "fitted", "fitted", "any", "saturating"])
    if kind == "none":
        return None
    outputs = sums.shape[1]
    bias = -sums[random.integers(len(sums), size=outputs), np.arange(outputs)]
    if kind == "any":
        bias = random.integers(-1, 2, outputs) * random.integers(0, 2 ** random.integers(1, 20), outputs)
    if kind == "saturating":
        bias = np.where(random.random(outputs) < 0.3, random.choice([-1, 1], outputs) * LARGEST_BIAS, bias)
    return bias.astype(np.int32)


def _factors(random: Random, sums: Int64s) -> tuple[Float64s, int]:
    """Return a factor for each neuron or one for all, and the zero point that fits.

    Mostly the largest sums come to about all 256 codes; else to 2 or to 5,000. Neurons that a bias has saturated do
    not count.
    """
    outputs = sums.shape[1]
    shares = np.ones(1) if random.random() < 0.4 else 10 ** random.uniform(-1.5, 0, outputs)
    values = np.where(np.abs(sums) < LARGEST_BIAS // 2, sums, 0) * shares
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    room = (
        float(random.choice([0.5, 1, 1, 1, 1, 1, 1.5]))
        if random.random() < 0.85
        else float(random.choice([0.01, 20]))
    )
    factor = 255 * room / max(high - low, 1.0)
    fitting = int(np.clip(round(-128 - low * factor), -128, 127))
    return np.clip(shares * factor, LOWEST_FACTOR, HIGHEST_FACTOR), fitting
