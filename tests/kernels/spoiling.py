"""Good models made bad in one place."""

from collections.abc import Callable
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from models import Net, model_object, pack
from nets import random_net

from sinehil.model.tflite import QuantizedModel, parse_quantized_model

CODE = {name: value for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}


def parse_spoiled(
    spoil: Callable[[Any], None], *, float_ends: bool = True, net: Net | None = None
) -> QuantizedModel:
    root = model_object(net or random_net(1, float_ends=float_ends))
    spoil(root)
    return parse_quantized_model(pack(root), "spoiled.tflite")


def named(root: Any, name: bytes) -> Any:
    return next(tensor for tensor in root.subgraphs[0].tensors if tensor.name == name)


def operator(code: str) -> Callable[[Any], None]:
    def spoil(root: Any) -> None:
        number = CODE[code]
        root.operatorCodes[1].builtinCode, root.operatorCodes[1].deprecatedBuiltinCode = (
            number,
            min(number, 127),
        )

    return spoil


def scale(tensor: bytes, scale: float) -> Callable[[Any], None]:
    def spoil(root: Any) -> None:
        entry = named(root, tensor).quantization
        entry.scale = np.full(len(entry.scale), scale, np.float32)

    return spoil


def changed(tensor: bytes, **fields: Any) -> Callable[[Any], None]:
    def spoil(root: Any) -> None:
        for name, value in fields.items():
            setattr(named(root, tensor), name, value)

    return spoil
