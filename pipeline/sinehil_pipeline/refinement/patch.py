"""Replace weights and biases of a .tflite in place; all other bytes stay the converter's."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sinehil.errors import ArtefactError
from sinehil.model.tflite import FullyConnected, QuantizedModel, parse_quantized_model


def with_layers(model: QuantizedModel, layers: Sequence[FullyConnected]) -> QuantizedModel:
    """Return ``model`` with the weights and biases of ``layers``; nothing else of them may differ.

    ArtefactError if the file has no place of its own for one of them.
    """
    from ai_edge_litert import schema_py_generated as schema

    data = bytearray(model.data)
    root = schema.Model.GetRootAs(data, 0)
    operators = _dense_operators(root)
    for operator, layer in zip(operators, layers, strict=True):
        _write_layer(root, operator, layer)
    patched = parse_quantized_model(bytes(data), model.name)
    if not all(_equal(got, wanted) for got, wanted in zip(patched.dense_layers, layers, strict=True)):
        raise ArtefactError(
            f"{model.name}: a constant has no place of its own in the file, so it cannot be changed",
            "convert the model again, or leave out the step `refine`",
        )
    return patched


def _dense_operators(root: Any) -> list[Any]:
    from ai_edge_litert import schema_py_generated as schema

    graph, number = root.Subgraphs(0), schema.BuiltinOperator.FULLY_CONNECTED
    every = [graph.Operators(index) for index in range(graph.OperatorsLength())]
    return [one for one in every if root.OperatorCodes(one.OpcodeIndex()).BuiltinCode() == number]


def _write_layer(root: Any, operator: Any, layer: FullyConnected) -> None:
    graph = root.Subgraphs(0)
    _data(root, graph.Tensors(operator.Inputs(1))).view(np.int8)[:] = layer.weights.ravel()
    if operator.InputsLength() > 2 and operator.Inputs(2) >= 0:
        _data(root, graph.Tensors(operator.Inputs(2))).view("<i4")[:] = layer.bias


def _data(root: Any, tensor: Any) -> NDArray[Any]:
    """Return a view of the tensor's bytes in the file."""
    view: NDArray[Any] = root.Buffers(tensor.Buffer()).DataAsNumpy()
    return view


def _equal(got: FullyConnected, wanted: FullyConnected) -> bool:
    arrays = ("weights", "bias", "weight_scales")
    same = all(np.array_equal(getattr(got, name), getattr(wanted, name)) for name in arrays)
    return same and (got.input, got.output) == (wanted.input, wanted.output)
