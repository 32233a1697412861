"""Random networks by seed, quantised as the converter does it: scales fit what the network really computes."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from models import Layer, Net
from numpy.typing import NDArray

from sinehil.tflite_model import Quantization

Float64s = NDArray[np.float64]
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
