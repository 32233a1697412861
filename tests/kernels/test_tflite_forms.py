"""Tables, reshapes, conversions and shapes that are not supported, refused with operator, tensor and reason."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from models import Net, Reshape, Table
from nets import deep_net
from spoiling import CODE, changed, named, operator, parse_spoiled, scale

from sinehil.errors import ArtefactError, ExitCode

INT16 = schema.TensorType.INT16
TANH = deep_net(1, (3, 6, 2), tables={1: "TANH"})  # QUANTIZE, dense_0, tanh_1, dense_2, DEQUANTIZE
RESHAPED = replace(
    deep_net(1, (3, 6, 2)),
    layers=(deep_net(1, (3, 6, 2)).layers[0], Reshape((6,)), deep_net(1, (3, 6, 2)).layers[1]),
)


def _table_zero_point(root: Any) -> None:
    named(root, b"tanh_1").quantization.zeroPoint = np.array([1], np.int64)


def _ten_tables(root: Any) -> None:
    operators = root.subgraphs[0].operators
    root.subgraphs[0].operators = [*operators[:2], *[operators[2]] * 9, *operators[3:]]


def _operator_at(place: int, name: str) -> Callable[[Any], None]:
    def spoil(root: Any) -> None:
        numbers = [code.builtinCode for code in root.operatorCodes]
        root.subgraphs[0].operators[place].opcodeIndex = numbers.index(CODE[name])

    return spoil


def _shape(*sizes: int) -> Callable[[Any], None]:
    def spoil(root: Any) -> None:
        shape = named(root, b"reshape_1/shape")
        shape.shape = [len(sizes)]
        root.buffers[shape.buffer].data = np.frombuffer(np.array(sizes, np.int32).tobytes(), np.uint8)

    return spoil


MORE: dict[str, tuple[Net, Callable[[Any], None], str]] = {
    "table scale": (
        TANH,
        scale(b"tanh_1", 0.01),
        "TANH tanh_1: tensor tanh_1 has scale 0.0099.* expected 0.0078125",
    ),
    "table zero point": (TANH, _table_zero_point, "TANH tanh_1: .* zero point 1, expected 0.0078125 and 0"),
    "table not int8": (
        TANH,
        changed(b"tanh_1", type=schema.TensorType.INT16),
        "TANH tanh_1: tensor tanh_1 is not int8",
    ),
    "table of another size": (
        TANH,
        changed(b"tanh_1", shape=[1, 5]),
        "TANH tanh_1: its input and output differ",
    ),
    "nine tables": (TANH, _ten_tables, "9 of TANH and LOGISTIC; up to 8"),
    "table instead of a layer": (TANH, _operator_at(1, "LOGISTIC"), "LOGISTIC dense_0: "),
    "requantising in front": (
        replace(TANH, float_input=False),
        _operator_at(1, "QUANTIZE"),
        "QUANTIZE tanh_1: tensor dense_0 is not float32: requantising is not supported",
    ),
    "dequantised inside": (
        TANH,
        _operator_at(2, "DEQUANTIZE"),
        "DEQUANTIZE tanh_1: tensor tanh_1 is not float32",
    ),
    "softmax": (TANH, operator("SOFTMAX"), r"operator SOFTMAX is not supported \(it makes tensor dense_0\)"),
    "reshape to more": (RESHAPED, _shape(12), r"RESHAPE reshape_1: its shape \[12\] is none of 6 numbers"),
    "reshape to a part": (RESHAPED, _shape(-1, 4), "RESHAPE reshape_1: its shape"),
    "reshape to two unknowns": (RESHAPED, _shape(-1, -1), "RESHAPE reshape_1: its shape"),
    "reshape to nothing": (RESHAPED, _shape(0, 6), "RESHAPE reshape_1: its shape"),
    "reshape to what is computed": (
        RESHAPED,
        changed(b"reshape_1/shape", buffer=0),
        "RESHAPE reshape_1: its shape reshape_1/shape are not constant",
    ),
    "reshape to another size": (
        RESHAPED,
        changed(b"reshape_1", shape=[2, 6]),
        "it changes more than the shape",
    ),
    "reshape to another scale": (RESHAPED, scale(b"reshape_1", 0.5), "it changes more than the shape"),
    "dynamic vector": (
        replace(TANH, lead=()),
        changed(b"dense_0", shapeSignature=[-1]),
        r"tensor dense_0 has shape \[-1\], expected one sample",
    ),
    "no shape": (TANH, changed(b"dense_0", shape=[]), r"tensor dense_0 has shape \[\], expected one sample"),
    "rank 7": (TANH, changed(b"dense_0", shape=[1, 1, 1, 1, 1, 1, 6]), "tensor dense_0 has shape"),
    "negative size": (TANH, changed(b"dense_0", shape=[-1, -6]), "tensor dense_0 has shape"),
}


@pytest.mark.parametrize("case", MORE, ids=[case.replace(" ", "-") for case in MORE])
def test_a_model_of_another_form_is_refused_with_its_reason(case: str) -> None:
    net, spoil, message = MORE[case]
    net.model()  # it is good before it is spoiled
    with pytest.raises(ArtefactError, match=message) as caught:
        parse_spoiled(spoil, net=net)
    assert caught.value.exit_code == ExitCode.ARTEFACT and caught.value.next_step


@pytest.mark.parametrize("scale", [2.0**-20.1, 2.0**20.1])
@pytest.mark.parametrize("operator", ["TANH", "LOGISTIC"])
def test_a_table_over_an_extreme_range_is_refused(operator: str, scale: float) -> None:
    first = deep_net(1, (3, 2))
    extreme = replace(
        first, input=replace(first.input, scale=np.float32(scale)), layers=(Table(operator), *first.layers)
    )
    with pytest.raises(
        ArtefactError, match=f"{operator} {operator.lower()}_0: the scale .* of tensor x_q is out of"
    ):
        extreme.model()


@pytest.mark.parametrize("widths", [(65, 3), (3, 65), (3, 65, 2)])
def test_more_than_64_wide_is_refused(widths: tuple[int, ...]) -> None:
    with pytest.raises(ArtefactError, match=r"has shape \[1, 65\], expected one sample of 1 to 64 numbers"):
        deep_net(1, widths).model()
