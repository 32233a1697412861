"""Random networks by seed, quantised as the converter does it: scales fit what the network really computes."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from models import Layer, Net, Reshape, Table

from sinehil.model.arrays import Float64s
from sinehil.model.tflite import Quantization

SIX: dict[str, Any] = {"x_range": (-40, 40), "spare": 1.5}  # neurons reach 6, and 6 has a code below 127


def random_net(
    seed: int,
    *,
    width: int = 16,
    per_tensor: bool = False,
    activation: str = "RELU",
    x_range: tuple[float, float] = (0, 6.2831855),
    float_ends: bool = True,
    with_bias: bool = True,
    spare: float = 1.0,
    hidden_zero_point: int | None = None,
) -> Net:
    """Return a 1-width-width-1 net; ``spare`` below 1 makes its scales too small, so that codes saturate."""
    random = np.random.default_rng(seed)
    x_quantization = fit_quantization(np.array(x_range), 1)
    before, values = x_quantization, np.linspace(*x_range, 256).reshape(-1, 1)
    layers = []
    for number, (inputs, outputs) in enumerate(pairwise((1, width, width, 1))):
        kind = activation if number < 2 else "NONE"
        weights = random.normal(0, inputs**-0.5, (outputs, inputs))
        bias = np.zeros(outputs)
        if with_bias:
            bias = -(weights @ values[random.integers(256, size=outputs)].T).diagonal()
        values = values @ weights.T + bias
        if kind != "NONE":
            values = np.clip(values, 0, 6 if kind == "RELU6" else np.inf)
        output = fit_quantization(values, spare)
        if hidden_zero_point is not None and number < 2:
            output = Quantization(output.scale, hidden_zero_point)
        layers.append(quantise_layer(weights, bias if with_bias else None, before, output, kind, per_tensor))
        before = output
    return Net(x_quantization, tuple(layers), float_ends)


def dense_net(seed: int) -> Net:
    """Return a 1-16-16-1 sine net in which hardly a neuron is dead: knots all over the range, the last layer fitted."""
    random, x = np.random.default_rng(seed), np.linspace(0, 2 * np.pi, 256)[:, None]
    slopes = np.where(np.arange(16) % 2, 1, -1) * random.uniform(0.4, 1.2, 16)
    first, first_bias = slopes[:, None], -slopes * np.linspace(0.2, 5.9, 16)
    first_values = np.maximum(x @ first.T + first_bias, 0)
    second = random.normal(0, 0.35, (16, 16))
    sums = first_values @ second.T
    second_bias = -np.quantile(sums, random.uniform(0.1, 0.8, 16), axis=0).diagonal()
    second_values = np.maximum(sums + second_bias, 0)
    ends = np.c_[second_values, np.ones(256)]
    fitted = np.linalg.solve(ends.T @ ends + 0.02 * np.eye(17), ends.T @ np.sin(x))
    last, last_bias = fitted[:16].T, fitted[16]
    parts = (
        (first, first_bias, first_values, "RELU"),
        (second, second_bias, second_values, "RELU"),
        (last, last_bias, second_values @ last.T + last_bias, "NONE"),
    )
    before = x_quantization = Quantization(np.float32(2 * np.pi / 255), -128)
    layers = []
    for weights, bias, values, activation in parts:
        output = fit_quantization(values, 1)
        layers.append(quantise_layer(weights, bias, before, output, activation, per_tensor=False))
        before = output
    return Net(x_quantization, tuple(layers), float_input=False, float_output=False)


def largest_weights() -> Net:
    """Return a net whose second layer multiplies up to -128 by 255, the most that 16 bits must hold."""
    net = random_net(7)
    middle = replace(
        net.layers[1],
        weights=np.full((16, 16), -128, np.int8),
        bias=np.linspace(150_000, 300_000, 16).astype(np.int32),
        output=Quantization(np.float32(net.layers[1].output.scale * 6), -128),
    )
    return replace(net, layers=(net.layers[0], middle, net.layers[2]))


def variety() -> dict[str, Net]:
    """Return the nets that arithmetic and kernels are held against, each with a name that says what is odd."""
    nets = {f"plain {seed}": random_net(seed) for seed in range(8)}
    nets |= {f"per-tensor {seed}": random_net(seed, per_tensor=True) for seed in range(10, 16)}
    nets |= {f"relu6 {seed}": random_net(seed, activation="RELU6", **SIX) for seed in range(20, 24)}
    nets |= {f"linear {seed}": random_net(seed, activation="NONE") for seed in range(30, 33)}
    nets |= {f"narrow {seed}": random_net(seed, width=3) for seed in range(40, 43)}
    nets |= {f"wide {seed}": random_net(seed, width=64) for seed in range(50, 53)}
    nets |= {f"saturated {seed}": random_net(seed, spare=0.4) for seed in range(60, 63)}
    nets |= {f"int8 ends {seed}": random_net(seed, float_ends=False) for seed in range(70, 74)}
    nets |= {f"no bias {seed}": random_net(seed, with_bias=False) for seed in range(80, 82)}
    nets |= {f"raised floor {z}": random_net(95 + z % 7, hidden_zero_point=z) for z in (-127, -60, 3, 90)}
    nets["largest weights"] = largest_weights()
    nets["zero point 127"] = random_net(90, x_range=(-5, 0))
    nets["zero point -128"] = random_net(91, x_range=(0, 5))
    nets["symmetric"] = random_net(92, x_range=(-1, 1))
    nets["tiny scale"] = random_net(93, x_range=(0, 1e-6))
    nets["huge scale"] = random_net(94, x_range=(-1e6, 1e6))
    return nets


def deep_net(
    seed: int,
    widths: tuple[int, ...] = (5, 9, 4),
    *,
    tables: dict[int, str] | None = None,
    activation: str = "RELU",
    per_tensor: bool = False,
    with_bias: bool = True,
    spare: float = 1.0,
    x_range: tuple[float, float] = (-2, 3),
    gain: float = 1.5,
    **form: Any,
) -> Net:
    """Return a net with ``widths[0]`` inputs; ``tables`` says which operator follows which layer, 0 the input.

    ``form`` is passed on to Net: ends, shapes, shared buffers.
    """
    random, tables = np.random.default_rng(seed), tables or {}
    values = random.uniform(*x_range, (512, widths[0]))
    before = x_quantization = fit_quantization(np.array(x_range), 1)
    layers: list[Any] = []
    for number, (inputs, outputs) in enumerate(pairwise(widths)):
        if number in tables:
            before, values = _append_table(layers, tables[number], values)
        kind = activation if number < len(widths) - 2 else "NONE"
        weights = random.normal(0, gain * inputs**-0.5, (outputs, inputs))
        bias = random.normal(0, 0.5, outputs) if with_bias else np.zeros(outputs)
        values = values @ weights.T + bias
        if kind != "NONE":
            values = np.clip(values, 0, 6 if kind == "RELU6" else np.inf)
        output = fit_quantization(values, spare)
        layers.append(quantise_layer(weights, bias if with_bias else None, before, output, kind, per_tensor))
        before = output
    if len(widths) - 1 in tables:
        _append_table(layers, tables[len(widths) - 1], values)
    return Net(x_quantization, tuple(layers), **form)


def ties_everywhere() -> Net:
    """Return a net of which every eighth accumulator is at a tie: all its scales are powers of two."""
    random = np.random.default_rng(61)
    scales, layers = np.array([2.0**-7], np.float32), []
    for inputs, outputs in ((3, 12), (12, 4)):
        weights = random.integers(-127, 128, (outputs, inputs)).astype(np.int8)
        bias = random.integers(-400, 400, outputs).astype(np.int32)
        layers.append(Layer(weights, bias, scales, Quantization(np.float32(2.0**-2), -3), "NONE"))
    return Net(Quantization(np.float32(2.0**-5), 1), tuple(layers))


def wider_variety() -> dict[str, Net]:
    """Return nets with several inputs and outputs, tables, other ends, shapes and depths."""
    ends = {"float to int8": (True, False), "int8 to float": (False, True), "int8 to int8": (False, False)}
    nets = {
        name: deep_net(number, float_input=source, float_output=result)
        for number, (name, (source, result)) in enumerate(ends.items())
    }
    shapes = {"vector": (), "rank 3": (1, 1), "rank 5": (1, 1, 1, 1)}
    nets |= {name: deep_net(10 + len(lead), lead=lead) for name, lead in shapes.items()}
    nets |= {f"per-tensor {seed}": deep_net(seed, (4, 8, 3), per_tensor=True) for seed in (20, 21)}
    nets |= {f"relu6 {seed}": deep_net(seed, activation="RELU6", **SIX) for seed in (30, 31)}
    nets |= {f"{name} inside": deep_net(40, tables={1: name}) for name in ("TANH", "LOGISTIC")}
    nets |= {f"{name} at both ends": deep_net(41, tables={0: name, 2: name}) for name in ("TANH", "LOGISTIC")}
    nets |= {f"{name} of one x": deep_net(42, (1, 8, 1), tables={1: name}) for name in ("TANH", "LOGISTIC")}
    nets["both tables after each other"] = deep_net(43, (3, 6, 6, 2), tables={1: "TANH", 2: "LOGISTIC"})
    nets["one layer"] = deep_net(50, (2, 1))
    nets["one to 64"] = deep_net(51, (1, 64))
    nets["64 to 64"] = deep_net(52, (64, 64, 64))
    nets["four layers"] = deep_net(53, (3, 16, 8, 8, 2))
    nets["eight layers"] = deep_net(54, (2, 7, 6, 5, 4, 5, 6, 7, 3))
    nets["saturated"] = deep_net(55, (6, 12, 5), spare=0.3)
    nets["no bias"] = deep_net(56, with_bias=False)
    nets["no bias, two tensors an operator"] = deep_net(57, with_bias=False, short_inputs=True)
    nets["dynamic batch"] = deep_net(58, batch_signature=True)
    nets["float tensors of another shape"] = deep_net(62, float_lead=(1, 1, 1))
    nets["ties everywhere"] = ties_everywhere()
    same = deep_net(59, (4, 4, 4))
    nets["shared buffers"] = replace(
        same,
        layers=(same.layers[0], replace(same.layers[0], output=same.layers[1].output)),
        share_buffers=True,
    )
    first, last = deep_net(60, (3, 12, 2)).layers
    for by in ("tensor", "options"):
        folded = (
            first,
            Reshape((1, 3, 4), by),
            Reshape((12,), by),
            Table("TANH"),
            Reshape((1, 12), by),
            last,
        )
        nets[f"reshaped by {by}"] = replace(deep_net(60, (3, 12, 2)), layers=folded)
    return nets


def _append_table(layers: list[Any], operator: str, values: Float64s) -> tuple[Quantization, Float64s]:
    table = Table(operator)
    layers.append(table)
    return table.output, np.tanh(values) if operator == "TANH" else 1 / (1 + np.exp(-values))


def fit_quantization(values: Float64s, spare: float) -> Quantization:
    low, high = min(0.0, float(values.min())) * spare, max(0.0, float(values.max())) * spare
    scale = np.float32(max(high - low, 1e-9) / 255)
    return Quantization(scale, int(np.clip(round(-128 - low / float(scale)), -128, 127)))


def quantise_layer(
    weights: Float64s,
    bias: Float64s | None,
    before: Quantization,
    output: Quantization,
    activation: str,
    per_tensor: bool,
) -> Layer:
    largest = np.abs(weights).max(axis=1)
    scales = (np.full_like(largest, largest.max()) if per_tensor else largest).astype(
        np.float32
    ) / np.float32(127)
    codes = np.rint(weights / scales[:, None].astype(np.float64)).astype(np.int8)
    bias_codes = None
    if bias is not None:
        bias_codes = np.rint(bias / (float(before.scale) * scales.astype(np.float64))).astype(np.int32)
    return Layer(codes, bias_codes, scales[:1] if per_tensor else scales, output, activation)
