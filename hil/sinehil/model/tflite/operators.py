"""Check each supported operator, and read its weights and options."""

import math
from typing import Any, get_args

import numpy as np

from sinehil.model.arrays import Codes, Int32s
from sinehil.model.tflite.limits import MAX_RANK, MAX_TABLE_SCALE, MIN_SCALE, MIN_TABLE_SCALE, number_problem
from sinehil.model.tflite.quantized_model import (
    Activation,
    FullyConnected,
    Lookup,
    Quantization,
    TableOperator,
)
from sinehil.model.tflite.tensors import Tensors, text

TABLES: tuple[TableOperator, ...] = get_args(TableOperator)
TABLE_OUTPUTS = {
    "TANH": Quantization(np.float32(1 / 128), 0),
    "LOGISTIC": Quantization(np.float32(1 / 256), -128),
}


def check_conversion(tensors: Tensors, name: str, operator: Any) -> None:
    """Refuse a QUANTIZE or DEQUANTIZE between other types than float32 and int8."""
    ends = [tensors.get(operator.inputs[0]), tensors.get(operator.outputs[0])]
    floating, codes = ends if name == "QUANTIZE" else ends[::-1]
    if floating.type != tensors.schema.TensorType.FLOAT32:
        raise tensors.refuse(f"tensor {text(floating.name)} is not float32: requantising is not supported")
    tensors.quantization(codes)
    if tensors.width(floating) != tensors.width(codes):
        raise tensors.refuse("its input and output differ in size")


def check_reshape(tensors: Tensors, operator: Any, source: Any, output: Any) -> None:
    """Refuse a RESHAPE that changes more than the shape, or is told a shape that does not fit."""
    width = tensors.width(output)
    same = source.type == output.type and tensors.width(source) == width
    if same and output.type == tensors.schema.TensorType.INT8:
        same = tensors.quantization(source) == tensors.quantization(output)
    if not same:
        raise tensors.refuse("it changes more than the shape")
    shape = _wanted_shape(tensors, operator)
    if len(shape) > MAX_RANK:  # before the product, which would take a minute
        raise tensors.refuse(f"its shape {shape[:8]} has {len(shape)} sizes")
    known = math.prod(size for size in shape if size != -1)
    free = shape.count(-1)
    fitting = min(shape) >= -1 and known >= 1 and (known == width if free == 0 else width % known == 0)
    if not fitting or free > 1:
        raise tensors.refuse(f"its shape {shape[:8]} is none of {width} numbers")


def _wanted_shape(tensors: Tensors, operator: Any) -> list[int]:
    """Return what a RESHAPE is told to make: by a constant tensor, else by its options."""
    if len(operator.inputs) > 1 and operator.inputs[1] >= 0:
        tensor = tensors.get(operator.inputs[1])
        return [int(size) for size in tensors.constant(tensor, "INT32", "its shape")]
    return [int(size) for size in operator.builtinOptions.newShape]


def read_fully_connected(tensors: Tensors, operator: Any, source: Any, output: Any) -> FullyConnected:
    """Return a layer with its weights and biases."""
    _, weights, bias, *_ = [*map(tensors.get, operator.inputs), None]
    before, after = tensors.quantization(source), tensors.quantization(output)
    matrix = _matrix(tensors, weights, (tensors.width(output), tensors.width(source)))
    outputs = matrix.shape[0]
    scales = tensors.scales(weights, outputs, MIN_SCALE)
    layer = FullyConnected(
        name=text(output.name),
        weights=matrix,
        bias=_bias(tensors, bias, outputs),
        weight_scales=np.broadcast_to(scales, (outputs,)).copy(),
        input=before,
        output=after,
        activation=_activation(tensors, operator),
    )
    problem = number_problem(layer)
    if problem is not None:
        raise tensors.refuse(f"the {problem} of {layer.name} are out of range")
    return layer


def _matrix(tensors: Tensors, tensor: Any, wanted: tuple[int, int]) -> Codes:
    flat = tensors.constant(tensor, "INT8", "weights")
    name, shape = text(tensor.name), tuple(int(size) for size in tensor.shape)
    if shape != wanted:
        raise tensors.refuse(f"weights {name} are {shape}, expected {wanted}: as many as outputs and inputs")
    if flat.size != math.prod(shape):
        raise tensors.refuse(f"weights {name} have {flat.size} values, expected {math.prod(shape)}")
    return flat.reshape(shape)


def _bias(tensors: Tensors, tensor: Any, outputs: int) -> Int32s:
    """Return the biases; their scales say nothing, but without good ones the interpreter computes otherwise."""
    if tensor is None:
        return np.zeros(outputs, np.int32)
    biases = tensors.constant(tensor, "INT32", "biases")
    if biases.shape != (outputs,):
        raise tensors.refuse(f"{text(tensor.name)} has {biases.size} values, expected {outputs}")
    tensors.scales(tensor, outputs, MIN_SCALE**2)
    return biases


def _activation(tensors: Tensors, operator: Any) -> Activation:
    options = operator.builtinOptions
    kinds: dict[int, Activation] = {0: "NONE", 1: "RELU", 3: "RELU6"}
    number = int(options.fusedActivationFunction)
    kind = kinds.get(number)
    if kind is None:
        names = {value: name for name, value in vars(tensors.schema.ActivationFunctionType).items()}
        raise tensors.refuse(
            f"its fused activation {names.get(number, f'number {number}')} is not supported; NONE, RELU and RELU6 are"
        )
    if int(options.weightsFormat) != 0:
        raise tensors.refuse("its weights are in a shuffled format")
    return kind


def read_lookup(tensors: Tensors, name: str, source: Any, output: Any) -> Lookup:
    """Return a TANH or LOGISTIC, whose output has the one quantisation that fits its range."""
    table: TableOperator = "TANH" if name == "TANH" else "LOGISTIC"
    before, after = tensors.quantization(source), tensors.quantization(output)
    wanted = TABLE_OUTPUTS[table]
    if after != wanted:
        raise tensors.refuse(
            f"tensor {text(output.name)} has scale {after.scale} and zero point {after.zero_point}, "
            f"expected {wanted.scale} and {wanted.zero_point}"
        )
    if not MIN_TABLE_SCALE <= before.scale <= MAX_TABLE_SCALE:
        raise tensors.refuse(f"the scale {before.scale} of tensor {text(source.name)} is out of range")
    if tensors.width(source) != tensors.width(output):
        raise tensors.refuse("its input and output differ in size")
    return Lookup(text(output.name), table, before, after, tensors.width(source))
