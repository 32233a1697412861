"""Quantised .tflite files made by hand, table by table, so that tests can have any network they want."""

from dataclasses import dataclass
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from sinehil.tflite_model import Quantization, QuantizedModel, parse_quantized_model

OPERATORS = {"QUANTIZE": (114, 1), "FULLY_CONNECTED": (9, 4), "DEQUANTIZE": (6, 2)}
ACTIVATIONS = {"NONE": 0, "RELU": 1, "RELU6": 3}


@dataclass(frozen=True)
class Layer:
    weights: NDArray[np.int8]
    bias: NDArray[np.int32] | None
    weight_scales: NDArray[np.float32]  # one, or one per neuron
    output: Quantization
    activation: str
    name: str = ""


@dataclass(frozen=True)
class Net:
    input: Quantization
    layers: tuple[Layer, ...]
    float_ends: bool = True

    def file(self) -> bytes:
        return pack(model_object(self))

    def model(self) -> QuantizedModel:
        return parse_quantized_model(self.file(), "net")


class _Builder:
    """Collects tensors, buffers and operators."""

    def __init__(self) -> None:
        self.buffers = [schema.BufferT()]
        self.tensors: list[Any] = []
        self.operators: list[Any] = []

    def tensor(self, name: str, kind: int, shape: list[int], scales: Any = None, zero: int = 0) -> int:
        tensor = schema.TensorT()
        tensor.name, tensor.type, tensor.shape, tensor.buffer = name.encode(), kind, shape, 0
        if scales is not None:
            entry = schema.QuantizationParametersT()
            entry.scale, entry.zeroPoint = np.float32(scales), np.full(len(scales), zero, np.int64)
            tensor.quantization = entry
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def constant(self, name: str, kind: int, values: NDArray[Any], scales: NDArray[np.float32]) -> int:
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
        self.buffers.append(buffer)
        index = self.tensor(name, kind, list(values.shape), scales)
        self.tensors[index].buffer = len(self.buffers) - 1
        return index

    def operator(self, name: str, inputs: list[int], output: int) -> Any:
        operator = schema.OperatorT()
        operator.opcodeIndex, operator.inputs, operator.outputs = (
            list(OPERATORS).index(name),
            inputs,
            [output],
        )
        self.operators.append(operator)
        return operator


def model_object(net: Net) -> Any:
    """Return the schema's own object form of the file, for tests to spoil."""
    builder = _Builder()
    int8, floating = schema.TensorType.INT8, schema.TensorType.FLOAT32
    first = at = builder.tensor("x_q", int8, [1, net.layers[0].weights.shape[1]], *_one(net.input))
    if net.float_ends:
        first = builder.tensor("x", floating, [1, net.layers[0].weights.shape[1]])
        builder.operator("QUANTIZE", [first], at)
    before = net.input
    for number, layer in enumerate(net.layers):
        at = _fully_connected(builder, layer, number, at, before)
        before = layer.output
    last = at
    if net.float_ends:
        last = builder.tensor("y", floating, [1, net.layers[-1].weights.shape[0]])
        builder.operator("DEQUANTIZE", [at], last)
    return _root(builder, first, last)


def pack(root: Any) -> bytes:
    builder = flatbuffers.Builder(4096)
    builder.Finish(root.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _one(quantization: Quantization) -> tuple[list[np.float32], int]:
    return [quantization.scale], quantization.zero_point


def _fully_connected(builder: _Builder, layer: Layer, number: int, source: int, before: Quantization) -> int:
    kinds, name = schema.TensorType, layer.name or f"dense_{number}"
    weights = builder.constant(f"{name}/w", kinds.INT8, layer.weights, layer.weight_scales)
    bias = -1
    if layer.bias is not None:
        scales = np.float32(before.scale) * layer.weight_scales
        bias = builder.constant(f"{name}/b", kinds.INT32, layer.bias, scales)
    output = builder.tensor(name, kinds.INT8, [1, layer.weights.shape[0]], *_one(layer.output))
    operator = builder.operator("FULLY_CONNECTED", [source, weights, bias], output)
    options = schema.FullyConnectedOptionsT()
    options.fusedActivationFunction = ACTIVATIONS[layer.activation]
    operator.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
    operator.builtinOptions = options
    return output


def _root(builder: _Builder, first: int, last: int) -> Any:
    graph, root = schema.SubGraphT(), schema.ModelT()
    graph.tensors, graph.operators = builder.tensors, builder.operators
    graph.inputs, graph.outputs, graph.name = [first], [last], b"main"
    root.version, root.subgraphs, root.buffers = 3, [graph], builder.buffers
    root.operatorCodes = []
    for number, version in OPERATORS.values():
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = number
        code.version = version
        root.operatorCodes.append(code)
    return root
