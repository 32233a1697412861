"""A quantised .tflite as plain data, read through its FlatBuffer schema; hostile until every field is checked."""

import hashlib
import math
import struct
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sinehil.errors import ArtefactError
from sinehil.tflite_limits import MAX_SCALE, MIN_SCALE, excess, number_problem

MAX_FILE_BYTES = 1 << 20
MAX_WIDTH, MAX_LAYERS = 64, 8
HELP = "see `sinehil compile --help` for what is supported"
DAMAGED = (struct.error, IndexError, TypeError, ValueError, AttributeError, OverflowError, MemoryError)
Activation = Literal["NONE", "RELU", "RELU6"]


@dataclass(frozen=True)
class Quantization:
    """real = (code - zero_point) * scale."""

    scale: np.float32
    zero_point: int


@dataclass(frozen=True)
class FullyConnected:
    """One layer: ``weights`` int8 [out, in], ``bias`` int32 [out], ``weight_scales`` float32 [out]."""

    name: str
    weights: NDArray[np.int8]
    bias: NDArray[np.int32]
    weight_scales: NDArray[np.float32]
    input: Quantization
    output: Quantization
    activation: Activation


@dataclass(frozen=True)
class QuantizedModel:
    """A chain of fully connected layers, with QUANTIZE and DEQUANTIZE at the ends if the file talks float."""

    sha256: str
    data: bytes
    layers: tuple[FullyConnected, ...]
    float_input: bool
    float_output: bool
    name: str = "the model"  # for messages: the file it came from

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
        return int(self.layers[0].weights.shape[1])

    @property
    def outputs(self) -> int:
        """Codes that a sample gives."""
        return int(self.layers[-1].weights.shape[0])


def load_quantized_model(path: Path) -> QuantizedModel:
    """Read a .tflite file; ArtefactError if it is missing, damaged or not a supported model."""
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise ArtefactError(f"{path} has {size} bytes; models up to {MAX_FILE_BYTES} are supported", HELP)
        return parse_quantized_model(path.read_bytes(), str(path))
    except OSError as error:
        raise ArtefactError(f"{path} cannot be read: {error.strerror}", "check the path") from error


def parse_quantized_model(data: bytes, name: str) -> QuantizedModel:
    """Read the bytes of a .tflite; ``name`` is for messages. ArtefactError as load_quantized_model."""
    from ai_edge_litert import schema_py_generated as schema

    if data[4:8] != b"TFL3":
        raise ArtefactError(f"{name} is not a .tflite file", "give a model that the TFLite converter wrote")
    try:
        root = schema.Model.GetRootAs(data, 0)
        if (too_much := excess(root)) is not None:
            raise ArtefactError(f"{name}: {too_much}", HELP)
        reader = _Reader(schema.ModelT.InitFromObj(root), schema, name)
        layers, float_input, float_output = reader.chain()
    except ArtefactError:
        raise
    except DAMAGED as error:
        raise ArtefactError(f"{name} is damaged: {error}", "make or download it again") from error
    return QuantizedModel(
        hashlib.sha256(data).hexdigest(), data, tuple(layers), float_input, float_output, name
    )


class _Reader:
    """Walks the one subgraph from its input to its output."""

    def __init__(self, root: Any, schema: Any, name: str) -> None:
        self._schema, self._name = schema, name
        if root.subgraphs is None or len(root.subgraphs) != 1:
            raise self._refuse("it has not exactly one subgraph")
        self._root, self._graph = root, root.subgraphs[0]
        if len(self._graph.inputs) != 1 or len(self._graph.outputs) != 1:
            raise self._refuse("it has not exactly one input and one output tensor")

    def chain(self) -> tuple[list[FullyConnected], bool, bool]:
        """Return layers and whether the ends are float."""
        operators = list(self._graph.operators or [])
        names = [self._operator_name(operator) for operator in operators]
        float_input, float_output = names[:1] == ["QUANTIZE"], names[-1:] == ["DEQUANTIZE"]
        core = list(zip(names, operators, strict=True))[float_input : len(operators) - float_output]
        for name, _ in core:
            if name != "FULLY_CONNECTED":
                raise self._refuse(f"operator {name} is not supported; only chains of FULLY_CONNECTED are")
        if not 1 <= len(core) <= MAX_LAYERS:
            raise self._refuse(f"it has {len(core)} FULLY_CONNECTED layers; 1 to {MAX_LAYERS} are supported")
        self._check_links(operators)
        self._check_ends(float_input, float_output)
        layers = [self._layer(operator) for _, operator in core]
        self._check_widths(layers)
        for layer in layers:
            scales = float(layer.input.scale), float(layer.output.scale)
            problem = number_problem(layer.bias, layer.weight_scales, *scales)
            if problem is not None:
                raise self._refuse(f"{problem} of {layer.name} are out of range")
        return layers, float_input, float_output

    def _check_links(self, operators: list[Any]) -> None:
        """Each operator must take what the one before gave, from the graph's input to its output."""
        at = self._graph.inputs[0]
        for operator in operators:
            if len(operator.outputs) != 1 or operator.inputs[0] != at:
                raise self._refuse("its operators are not one chain")
            at = operator.outputs[0]
        if at != self._graph.outputs[0]:
            raise self._refuse("its operators do not end in its output")

    def _check_ends(self, float_input: bool, float_output: bool) -> None:
        """Refuse a QUANTIZE that takes or a DEQUANTIZE that gives something else than float32."""
        ends = ((self._graph.inputs[0], float_input), (self._graph.outputs[0], float_output))
        for tensor in (self._tensor(index) for index, is_float in ends if is_float):
            if tensor.type != self._schema.TensorType.FLOAT32:
                raise self._refuse(f"tensor {self._text(tensor.name)} is neither float32 nor int8")

    def _tensor(self, index: int) -> Any:
        return self._graph.tensors[index] if index >= 0 else None

    def _check_widths(self, layers: list[FullyConnected]) -> None:
        for before, after in pairwise(layers):
            if before.weights.shape[0] != after.weights.shape[1] or before.output != after.input:
                raise self._refuse(f"layers {before.name} and {after.name} do not fit together")

    def _layer(self, operator: Any) -> FullyConnected:
        source, weights, bias, *_ = [*map(self._tensor, operator.inputs), None]
        output = self._tensor(operator.outputs[0])
        name = self._text(output.name)
        matrix = self._constant(weights, np.int8, self._schema.TensorType.INT8)
        shape = tuple(int(size) for size in weights.shape)
        fitting = len(shape) == 2 and all(1 <= size <= MAX_WIDTH for size in shape)
        if not fitting or matrix.size != shape[0] * shape[1]:
            raise self._refuse(f"weights of {name} are {shape}; 1 to {MAX_WIDTH} each way are supported")
        for tensor, width in ((source, shape[1]), (output, shape[0])):
            self._check_activation_tensor(tensor, width)
        return FullyConnected(
            name=name,
            weights=matrix.reshape(shape),
            bias=self._bias(bias, shape[0]),
            weight_scales=self._scales(weights, shape[0], MIN_SCALE),
            input=self._quantization(source),
            output=self._quantization(output),
            activation=self._activation(operator, name),
        )

    def _bias(self, tensor: Any, outputs: int) -> NDArray[np.int32]:
        """Return the biases; their scales say nothing, but without good ones the interpreter computes otherwise."""
        if tensor is None:
            return np.zeros(outputs, np.int32)
        biases = self._constant(tensor, np.int32, self._schema.TensorType.INT32)
        if biases.shape != (outputs,):
            raise self._refuse(f"{self._text(tensor.name)} has {biases.size} values, expected {outputs}")
        self._scales(tensor, outputs, MIN_SCALE**2)
        return biases

    def _constant(self, tensor: Any, dtype: Any, kind: int) -> NDArray[Any]:
        if tensor is None or tensor.type != kind:
            name = self._text(getattr(tensor, "name", None))
            raise self._refuse(f"tensor {name} is not {np.dtype(dtype).name}")
        raw = self._root.buffers[tensor.buffer].data
        if raw is None or len(raw) == 0:
            raise self._refuse(f"tensor {self._text(tensor.name)} is not a constant")
        return np.frombuffer(bytes(bytearray(raw)), dtype=np.dtype(dtype).newbyteorder("<")).astype(dtype)

    def _check_activation_tensor(self, tensor: Any, width: int) -> None:
        shape = [int(size) for size in tensor.shape]
        if tensor.type != self._schema.TensorType.INT8:
            raise self._refuse(f"tensor {self._text(tensor.name)} is not int8; quantise the model fully")
        signature = shape if tensor.shapeSignature is None else tensor.shapeSignature
        if math.prod(shape) != width or -1 in signature[1:]:
            raise self._refuse(f"{self._text(tensor.name)} has shape {shape}, expected one sample of {width}")

    def _scales(self, tensor: Any, outputs: int, lowest: float) -> NDArray[np.float32]:
        if tensor.quantization is None:
            raise self._refuse(f"tensor {self._text(tensor.name)} has no scales")
        scales = np.atleast_1d(np.array(tensor.quantization.scale, dtype=np.float32))
        zeros = np.atleast_1d(np.array(tensor.quantization.zeroPoint, dtype=np.int64))
        usable = np.all((scales >= lowest) & (scales <= 1 / lowest)) and not zeros.any()
        if scales.size not in (1, outputs) or not usable or tensor.quantization.quantizedDimension != 0:
            raise self._refuse(f"tensor {self._text(tensor.name)} has unusable scales")
        return np.broadcast_to(scales, (outputs,)).copy()

    def _quantization(self, tensor: Any) -> Quantization:
        entry = tensor.quantization
        if entry is None or entry.scale is None or len(entry.scale) != 1 or len(entry.zeroPoint) != 1:
            raise self._refuse(f"tensor {self._text(tensor.name)} is not quantised per tensor")
        scale, zero_point = np.float32(entry.scale[0]), int(entry.zeroPoint[0])
        if not (MIN_SCALE <= scale <= MAX_SCALE and -128 <= zero_point <= 127):
            raise self._refuse(f"{self._text(tensor.name)} has scale {scale} and zero point {zero_point}")
        return Quantization(scale, zero_point)

    def _activation(self, operator: Any, name: str) -> Activation:
        options = operator.builtinOptions
        kinds: dict[int, Activation] = {0: "NONE", 1: "RELU", 3: "RELU6"}
        kind = kinds.get(int(options.fusedActivationFunction))
        if kind is None or int(options.weightsFormat) != 0:
            raise self._refuse(f"layer {name} has an activation or weight format that is not supported")
        return kind

    def _operator_name(self, operator: Any) -> str:
        code = self._root.operatorCodes[operator.opcodeIndex]
        number = max(int(code.builtinCode), int(code.deprecatedBuiltinCode))
        kinds = vars(self._schema.BuiltinOperator).items()
        return next((name for name, value in kinds if value == number), f"number {number}")

    @staticmethod
    def _text(name: bytes | None) -> str:
        return (name or b"?").decode("utf-8", "replace")[:80]

    def _refuse(self, reason: str) -> ArtefactError:
        return ArtefactError(f"{self._name}: {reason}", HELP)
