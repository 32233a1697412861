"""Quantised .tflite files made by hand, table by table, so that tests can have any network they want."""

import re
from dataclasses import dataclass, replace
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from sinehil.model.arrays import Codes, Float32s, Int32s
from sinehil.model.tflite import Quantization, QuantizedModel, parse_quantized_model
from sinehil_kernels import GeneratedKernel
from sinehil_kernels.generated import C_FILE

OPERATORS = {
    "QUANTIZE": (114, 1),
    "FULLY_CONNECTED": (9, 4),
    "DEQUANTIZE": (6, 2),
    "TANH": (28, 2),
    "LOGISTIC": (14, 2),
    "RESHAPE": (22, 1),
}
ACTIVATIONS = {"NONE": 0, "RELU": 1, "RELU6": 3}


@dataclass(frozen=True)
class Layer:
    weights: Codes
    bias: Int32s | None
    weight_scales: Float32s  # one, or one per neuron
    output: Quantization
    activation: str
    name: str = ""


@dataclass(frozen=True)
class Table:
    operator: str  # TANH or LOGISTIC
    name: str = ""

    @property
    def output(self) -> Quantization:
        tanh = self.operator == "TANH"
        return Quantization(np.float32(1 / 128 if tanh else 1 / 256), 0 if tanh else -128)


@dataclass(frozen=True)
class Reshape:
    shape: tuple[int, ...]
    by: str = "tensor"  # or "options"
    name: str = ""


@dataclass(frozen=True)
class Net:
    input: Quantization
    layers: tuple[Any, ...]  # Layer, Table or Reshape
    float_ends: bool = True
    float_input: bool | None = None  # else as float_ends
    float_output: bool | None = None
    float_lead: tuple[int, ...] | None = (
        None  # float tensors at the ends have this lead, by a RESHAPE of their own
    )
    lead: tuple[int, ...] = (1,)  # a tensor of n numbers has the shape (*lead, n)
    share_buffers: bool = False  # equal constants in one buffer
    short_inputs: bool = False  # a missing bias is left out, not given as -1
    batch_signature: bool = False  # the batch is dynamic

    def file(self) -> bytes:
        return pack(model_object(self))

    def model(self) -> QuantizedModel:
        return parse_quantized_model(self.file(), "net")

    @property
    def dense(self) -> list[Layer]:
        return [layer for layer in self.layers if isinstance(layer, Layer)]

    @property
    def inputs(self) -> int:
        return int(self.dense[0].weights.shape[1])

    @property
    def outputs(self) -> int:
        return int(self.dense[-1].weights.shape[0])


class _Builder:
    """Collects tensors, buffers and operators."""

    def __init__(self, net: Net) -> None:
        self.net = net
        self.buffers = [schema.BufferT()]
        self.tensors: list[Any] = []
        self.operators: list[Any] = []
        self._shared: dict[bytes, int] = {}

    def tensor(self, name: str, kind: int, shape: list[int], scales: Any = None, zero: int = 0) -> int:
        tensor = schema.TensorT()
        tensor.name, tensor.type, tensor.shape, tensor.buffer = name.encode(), kind, shape, 0
        if scales is not None:
            entry = schema.QuantizationParametersT()
            entry.scale, entry.zeroPoint = np.float32(scales), np.full(len(scales), zero, np.int64)
            tensor.quantization = entry
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def activation(self, name: str, width: int, quantization: Quantization | None) -> int:
        shape = [*self.net.lead, width]
        if quantization is None:
            index = self.tensor(name, schema.TensorType.FLOAT32, shape)
        else:
            index = self.tensor(name, schema.TensorType.INT8, shape, *_one(quantization))
        if self.net.batch_signature:
            self.tensors[index].shapeSignature = [-1, *shape[1:]]
        return index

    def constant(self, name: str, kind: int, values: NDArray[Any], scales: Float32s | None) -> int:
        index = self.tensor(name, kind, list(values.shape), scales)
        self.tensors[index].buffer = self._buffer(values.tobytes())
        return index

    def _buffer(self, data: bytes) -> int:
        if self.net.share_buffers and data in self._shared:
            return self._shared[data]
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(data, np.uint8)
        self.buffers.append(buffer)
        self._shared[data] = len(self.buffers) - 1
        return len(self.buffers) - 1

    def reshape_float(self, name: str, width: int, inside: int, *, first: bool) -> int:
        """Add a RESHAPE between a float tensor at an end and one outside of it; return the latter."""
        outside = self.tensor(name, schema.TensorType.FLOAT32, [*(self.net.float_lead or ()), width])
        ends = [outside, inside] if first else [inside, outside]
        options = schema.ReshapeOptionsT()
        options.newShape = list(self.tensors[ends[1]].shape)
        operator = self.operator("RESHAPE", ends[:1], ends[1])
        operator.builtinOptionsType, operator.builtinOptions = schema.BuiltinOptions.ReshapeOptions, options
        if first:
            self.operators.insert(0, self.operators.pop())
        return outside

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
    builder, width = _Builder(net), net.inputs
    first = at = builder.activation("x_q", width, net.input)
    if net.float_ends if net.float_input is None else net.float_input:
        first = builder.activation("x", width, None)
        builder.operator("QUANTIZE", [first], at)
        if net.float_lead is not None:
            first = builder.reshape_float("x_outside", width, first, first=True)
    before = net.input
    for number, layer in enumerate(net.layers):
        if isinstance(layer, Reshape):
            at = _reshape(builder, layer, number, at, before)
            continue
        if isinstance(layer, Table):
            name = layer.name or f"{layer.operator.lower()}_{number}"
            source, at = at, builder.activation(name, width, layer.output)
            builder.operator(layer.operator, [source], at)
        else:
            at = _fully_connected(builder, layer, number, at, before)
            width = layer.weights.shape[0]
        before = layer.output
    last = at
    if net.float_ends if net.float_output is None else net.float_output:
        last = builder.activation("y", width, None)
        builder.operator("DEQUANTIZE", [at], last)
        if net.float_lead is not None:
            last = builder.reshape_float("y_outside", width, last, first=False)
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
    inputs = [source, weights] if builder.net.short_inputs else [source, weights, -1]
    if layer.bias is not None:
        scales = np.float32(before.scale) * layer.weight_scales
        inputs = [source, weights, builder.constant(f"{name}/b", kinds.INT32, layer.bias, scales)]
    output = builder.activation(name, layer.weights.shape[0], layer.output)
    operator = builder.operator("FULLY_CONNECTED", inputs, output)
    options = schema.FullyConnectedOptionsT()
    options.fusedActivationFunction = ACTIVATIONS[layer.activation]
    options.keepNumDims = len(builder.net.lead) > 1
    operator.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
    operator.builtinOptions = options
    return output


def _reshape(builder: _Builder, layer: Reshape, number: int, source: int, before: Quantization) -> int:
    kinds, name = schema.TensorType, layer.name or f"reshape_{number}"
    output = builder.tensor(name, kinds.INT8, list(layer.shape), *_one(before))
    shape = np.array(layer.shape, np.int32)
    if layer.by == "tensor":
        operator = builder.operator(
            "RESHAPE", [source, builder.constant(f"{name}/shape", kinds.INT32, shape, None)], output
        )
        return output
    operator = builder.operator("RESHAPE", [source], output)
    options = schema.ReshapeOptionsT()
    options.newShape = list(layer.shape)
    operator.builtinOptionsType, operator.builtinOptions = schema.BuiltinOptions.ReshapeOptions, options
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


def with_source(kernel: GeneratedKernel, source: str) -> GeneratedKernel:
    """Return the kernel with another C file, for tests to spoil."""
    return replace(kernel, sources={**kernel.sources, C_FILE: source})


def change_table(kernel: GeneratedKernel, table: str, index: int, by: int) -> GeneratedKernel:
    """Return the kernel with one number of one table changed."""
    found = re.search(rf" {table}\[\d+\] PROGMEM = {{([^}}]*)}};", kernel.source)
    assert found is not None, table
    numbers = [word for word in re.finditer(r"/\*.*?\*/|-?\d+", found[1]) if word[0][0] != "/"]
    number = numbers[index]
    at = found.start(1) + number.start()
    changed = kernel.source[:at] + str(int(number[0]) + by) + kernel.source[at + len(number[0]) :]
    return with_source(kernel, changed)
