"""Run the model exactly over all 256 input codes, updated incrementally when one neuron changes.

Codes are held as code - zero point, in float32, one row for each neuron. All sums are of integers below 2^24, so
float32 holds them exactly and BLAS may add them in any order; the product with the factor is the oracle's own.
"""

from dataclasses import dataclass, replace

import numpy as np

from sinehil.errors import ArtefactError
from sinehil.model.arithmetic import LITERT
from sinehil.model.arrays import Codes, Float32s, Int32s, Int64s
from sinehil.model.tflite import QuantizedModel

Selection = slice | Int64s
EVERY_CODE = slice(None)
MAX_BIAS = 2**22  # with 64 inputs of at most 255 * 127 each, sums stay below 2^23


@dataclass(frozen=True)
class Change:
    """``count`` alternatives for one neuron: what to add to its weights [count, inputs] and its bias [count]."""

    layer: int
    neuron: int
    weights: Float32s
    bias: Float32s

    def only(self, index: Int64s) -> "Change":
        """Return the alternatives with these numbers."""
        return replace(self, weights=self.weights[index], bias=self.bias[index])


class Network:
    """Weights, biases, and what every neuron gives for every code."""

    def __init__(self, model: QuantizedModel) -> None:
        layers = model.dense_layers
        if any(np.abs(layer.bias.astype(np.int64)).max() > MAX_BIAS for layer in layers):
            raise ArtefactError(
                f"{model.name}: a bias is beyond {MAX_BIAS}, more than can be refined exactly",
                "train again from another seed, or leave out the step `refine`",
            )
        self.weights = [layer.weights.astype(np.float32) for layer in layers]
        self.bias = [layer.bias.astype(np.float32) for layer in layers]
        self.factors = [LITERT.factors(layer)[:, None] for layer in layers]
        zeros = [layer.output.zero_point for layer in layers]
        limits = [LITERT.code_limits(layer) for layer in layers]
        self._low = [np.float32(low - zero) for (low, _), zero in zip(limits, zeros, strict=True)]
        self._high = [np.float32(high - zero) for (_, high), zero in zip(limits, zeros, strict=True)]
        self.values = [(np.arange(-128, 128) - model.input.zero_point).astype(np.float32)[None, :]]
        self._sums: list[Float32s] = []
        self._renew(0)

    @property
    def last(self) -> int:
        """Number of the last layer."""
        return len(self.weights) - 1

    @property
    def outputs(self) -> Float32s:
        """Output code - zero point for every input code, shape [256]."""
        outputs: Float32s = self.values[-1][0]
        return outputs

    def outputs_after(self, change: Change, codes: Selection = EVERY_CODE) -> Float32s:
        """Return output code - zero point [count, codes] for each alternative."""
        layer, neuron = change.layer, change.neuron
        sums = change.weights @ self.values[layer][:, codes]
        sums += self._sums[layer][neuron, codes]
        sums += change.bias[:, None]
        values = self._requantize(layer, sums, self.factors[layer][neuron])
        if layer == self.last:
            return values
        values -= self.values[layer + 1][neuron, codes]
        sums = values[:, None, :] * self.weights[layer + 1][:, neuron, None]
        return self._outputs_above(layer + 1, sums, codes)

    def _outputs_above(self, layer: int, sums: Float32s, codes: Selection) -> Float32s:
        """Return the outputs where the sums of ``layer`` change by ``sums`` [count, neurons, codes]."""
        sums += self._sums[layer][:, codes]
        values = self._requantize(layer, sums, self.factors[layer])
        if layer == self.last:
            return values[:, 0]
        values -= self.values[layer + 1][:, codes]
        return self._outputs_above(layer + 1, self.weights[layer + 1] @ values, codes)

    def apply(self, change: Change, index: int) -> None:
        """Make one of the alternatives so."""
        self.weights[change.layer][change.neuron] += change.weights[index]
        self.bias[change.layer][change.neuron] += change.bias[index]
        self._renew(change.layer)

    def snapshot(self) -> list[tuple[Codes, Int32s]]:
        """Return weights and biases of each layer."""
        pairs = zip(self.weights, self.bias, strict=True)
        return [(weights.astype(np.int8), bias.astype(np.int32)) for weights, bias in pairs]

    def _renew(self, first: int) -> None:
        del self._sums[first:], self.values[first + 1 :]
        for layer in range(first, len(self.weights)):
            self._sums.append(self.weights[layer] @ self.values[layer] + self.bias[layer][:, None])
            self.values.append(self._requantize(layer, self._sums[layer].copy(), self.factors[layer]))

    def _requantize(self, layer: int, sums: Float32s, factors: Float32s) -> Float32s:
        """Turn sums into codes - zero point, in place: the oracle's ``requantize`` and the clamp."""
        sums *= factors
        np.rint(sums, out=sums)
        clipped: Float32s = np.clip(sums, self._low[layer], self._high[layer], out=sums)
        return clipped
