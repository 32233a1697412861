"""Dataclasses of a supported model: a chain of fully connected layers and lookup tables."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from sinehil.model.arrays import Codes, Float32s, Int32s

Activation = Literal["NONE", "RELU", "RELU6"]
TableOperator = Literal["TANH", "LOGISTIC"]


@dataclass(frozen=True)
class Quantization:
    """real = (code - zero_point) * scale."""

    scale: np.float32
    zero_point: int


@dataclass(frozen=True)
class FullyConnected:
    """One layer: ``weights`` int8 [out, in], ``bias`` int32 [out], ``weight_scales`` float32 [out]."""

    name: str
    weights: Codes
    bias: Int32s
    weight_scales: Float32s
    input: Quantization
    output: Quantization
    activation: Activation

    @property
    def inputs(self) -> int:
        """Codes that the layer takes."""
        return int(self.weights.shape[1])

    @property
    def outputs(self) -> int:
        """Codes that the layer gives."""
        return int(self.weights.shape[0])


@dataclass(frozen=True)
class Lookup:
    """An operator that takes each of ``width`` codes to another on its own, so that a table of 256 codes holds it."""

    name: str
    operator: TableOperator
    input: Quantization
    output: Quantization
    width: int

    @property
    def inputs(self) -> int:
        """Codes that the operator takes."""
        return self.width

    @property
    def outputs(self) -> int:
        """Codes that the operator gives."""
        return self.width


@dataclass(frozen=True)
class QuantizedModel:
    """A chain of layers, with QUANTIZE and DEQUANTIZE at the ends if the file talks float.

    ``batchable`` says that every tensor has the shape [1, n], so that interpreters take batches of samples.
    """

    sha256: str
    data: bytes
    layers: tuple[FullyConnected | Lookup, ...]
    float_input: bool
    float_output: bool
    name: str = "the model"  # for messages: the file it came from
    batchable: bool = True

    @property
    def dense_layers(self) -> tuple[FullyConnected, ...]:
        """The layers that have weights."""
        return tuple(layer for layer in self.layers if isinstance(layer, FullyConnected))

    @property
    def shape_text(self) -> str:
        """The widths from input to output, as people write them: ``1-16-16-1``."""
        return "-".join(map(str, (self.inputs, *(layer.outputs for layer in self.dense_layers))))

    @property
    def input(self) -> Quantization:
        """Quantisation of the input codes."""
        return self.layers[0].input

    @property
    def output(self) -> Quantization:
        """Quantisation of the output codes."""
        return self.layers[-1].output

    @property
    def inputs(self) -> int:
        """Codes that a sample takes."""
        return self.layers[0].inputs

    @property
    def outputs(self) -> int:
        """Codes that a sample gives."""
        return self.layers[-1].outputs
