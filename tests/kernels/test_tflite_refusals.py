"""Models that are not supported: each is refused with the operator, the tensor and the reason, exit code 6."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from models import Net, model_object, pack
from nets import random_net
from spoiling import CODE, named, operator, parse_spoiled, scale
from test_tflite_forms import MORE

from sinehil.errors import ArtefactError
from sinehil.model.tflite import parse_quantized_model


def _two_subgraphs(root: Any) -> None:
    root.subgraphs = root.subgraphs * 2


def _no_subgraphs(root: Any) -> None:
    root.subgraphs = None


def _two_inputs(root: Any) -> None:
    root.subgraphs[0].inputs = [0, 1]


def _no_inputs(root: Any) -> None:
    root.subgraphs[0].inputs = []


def _two_outputs(root: Any) -> None:
    root.subgraphs[0].outputs = [root.subgraphs[0].outputs[0], root.subgraphs[0].operators[1].outputs[0]]


def _two_results(root: Any) -> None:
    operator = root.subgraphs[0].operators[1]
    operator.outputs = [operator.outputs[0], root.subgraphs[0].outputs[0]]


def _end_shape(end: bytes, *signature: int) -> Callable[[Any], None]:
    def spoil(root: Any) -> None:
        named(root, end).shapeSignature = signature

    return spoil


def _wide_end(root: Any) -> None:
    named(root, b"x").shape = [1, 65]


def _dynamic_width(root: Any) -> None:
    named(root, b"dense_0").shapeSignature = [1, -1]


def _batch_of_two(root: Any) -> None:
    named(root, b"dense_0").shape = [2, 16]


def _negative_index(root: Any) -> None:
    root.subgraphs[0].operators[1].outputs = [-3]


def _not_a_chain(root: Any) -> None:
    root.subgraphs[0].operators[2].inputs[0] = root.subgraphs[0].operators[0].outputs[0]


def _other_end(root: Any) -> None:
    root.subgraphs[0].outputs = [root.subgraphs[0].operators[2].outputs[0]]


def _zero_point(root: Any) -> None:
    named(root, b"dense_1").quantization.zeroPoint = np.array([128], np.int64)


def _weights_zero_point(root: Any) -> None:
    named(root, b"dense_1/w").quantization.zeroPoint = np.full(16, 1, np.int64)


def _scales_along_inputs(root: Any) -> None:
    named(root, b"dense_1/w").quantization.quantizedDimension = 1


def _short_bias(root: Any) -> None:
    buffer = root.buffers[named(root, b"dense_1/b").buffer]
    buffer.data = buffer.data[:-4]


def _huge_bias(root: Any) -> None:
    buffer = root.buffers[named(root, b"dense_1/b").buffer]
    buffer.data = np.frombuffer(np.full(16, 2**31 - 1, np.int32).tobytes(), np.uint8)


def _bias_scales_missing(root: Any) -> None:
    named(root, b"dense_1/b").quantization = None


def _bias_zero_point(root: Any) -> None:
    named(root, b"dense_2/b").quantization.zeroPoint = np.array([5], np.int64)


def _short_weights(root: Any) -> None:
    buffer = root.buffers[named(root, b"dense_1/w").buffer]
    buffer.data = buffer.data[:-1]


def _no_weights(root: Any) -> None:
    named(root, b"dense_1/w").buffer = 0


def _buffer_out_of_range(root: Any) -> None:
    named(root, b"dense_1/w").buffer = 999


def _wide_weights(root: Any) -> None:
    named(root, b"dense_1/w").shape = [1, 256]


def _not_quantised(root: Any) -> None:
    named(root, b"dense_1").quantization = None


def _int16_activations(root: Any) -> None:
    named(root, b"dense_1").type = schema.TensorType.INT16


def _uint8_end(root: Any) -> None:
    named(root, b"x").type = schema.TensorType.UINT8


def _uint8_output(root: Any) -> None:
    named(root, b"y").type = schema.TensorType.UINT8


def _fused(activation: int) -> Callable[[Any], None]:
    def spoil(root: Any) -> None:
        root.subgraphs[0].operators[1].builtinOptions.fusedActivationFunction = activation

    return spoil


def _shuffled(root: Any) -> None:
    root.subgraphs[0].operators[1].builtinOptions.weightsFormat = 1


def _constant_activation(root: Any) -> None:
    named(root, b"dense_0").buffer = named(root, b"dense_0/b").buffer


def _variable(root: Any) -> None:
    named(root, b"dense_0").isVariable = True


def _outside(root: Any) -> None:
    root.buffers[named(root, b"dense_1/w").buffer].offset = 64


def _written_twice(root: Any) -> None:
    operators = root.subgraphs[0].operators
    operators[2].outputs = [operators[1].outputs[0]]


def _few_zero_points(root: Any) -> None:
    named(root, b"dense_1/w").quantization.zeroPoint = np.zeros(1, np.int64)


def _other_quantisation(root: Any) -> None:
    details = schema.CustomQuantizationT()
    details.custom = [1]
    entry = named(root, b"dense_1").quantization
    entry.detailsType, entry.details = schema.QuantizationDetails.CustomQuantization, details


def _metadata(name: bytes) -> Callable[[Any], None]:
    def spoil(root: Any) -> None:
        entry = schema.MetadataT()
        entry.name, entry.buffer = name, 1
        root.metadata = [entry]

    return spoil


def _large_sums(root: Any) -> None:
    """A bias within its own limit, and a factor within its own, whose product no int32 holds."""
    buffer = root.buffers[named(root, b"dense_1/b").buffer]
    buffer.data = np.frombuffer(np.full(16, 2**29, np.int32).tobytes(), np.uint8)
    named(root, b"dense_1").quantization.scale = named(root, b"dense_1").quantization.scale / 500


def _nine_layers(root: Any) -> None:
    operators = root.subgraphs[0].operators
    root.subgraphs[0].operators = [operators[0], *[operators[2]] * 9, operators[-1]]


def _no_layers(root: Any) -> None:
    root.subgraphs[0].operators = []


def _ends_alone(root: Any) -> None:
    operators = root.subgraphs[0].operators
    root.subgraphs[0].operators = [operators[0], operators[-1]]


SPOILED: dict[str, tuple[Callable[[Any], None], str]] = {
    "conv": (operator("CONV_2D"), "operator CONV_2D is not supported"),
    "add": (operator("ADD"), "operator ADD is not supported"),
    "new operator": (operator("STABLEHLO_ADD"), "operator STABLEHLO_ADD is not supported"),
    "two subgraphs": (_two_subgraphs, "exactly one subgraph"),
    "no subgraphs": (_no_subgraphs, "exactly one subgraph"),
    "two inputs": (_two_inputs, "QUANTIZE x_q: .* not exactly one input tensor, but 2: x_q, x"),
    "no inputs": (_no_inputs, "QUANTIZE x_q: .* not exactly one input tensor, but 0"),
    "two outputs": (
        _two_outputs,
        "FULLY_CONNECTED dense_0: .* not exactly one output tensor, but 2: y, dense_0",
    ),
    "two results": (_two_results, "FULLY_CONNECTED dense_0: it makes 2 tensors: .* not one chain"),
    "dynamic input": (_end_shape(b"x", -1, -1), r"QUANTIZE x_q: tensor x has shape \[-1, -1\]"),
    "dynamic output": (_end_shape(b"y", -1, -1), r"DEQUANTIZE y: tensor y has shape \[-1, -1\]"),
    "wide input": (_wide_end, r"QUANTIZE x_q: tensor x has shape \[1, 65\]"),
    "dynamic width": (_dynamic_width, "dense_0 has shape"),
    "batch of two": (_batch_of_two, r"weights dense_0/w are \(16, 1\), expected \(32, 1\)"),
    "negative index": (_negative_index, "spoiled.tflite"),
    "not a chain": (
        _not_a_chain,
        "FULLY_CONNECTED dense_1: it takes tensor x_q, expected dense_0: .* not one chain",
    ),
    "another end": (
        _other_end,
        "DEQUANTIZE y: it makes tensor y, expected dense_1: .* do not end in its output",
    ),
    "scale 0": (scale(b"dense_0", 0), "dense_0 has scale 0"),
    "scale NaN": (scale(b"dense_0", np.nan), "dense_0 has scale nan"),
    "scale infinite": (scale(b"dense_0", np.inf), "dense_0 has scale inf"),
    "scale negative": (scale(b"dense_0", -0.5), "dense_0 has scale -0.5"),
    "scale subnormal": (scale(b"x_q", 1e-45), "x_q has scale"),
    "scales too far apart": (scale(b"dense_0", 1e-9), "scales of dense_0"),
    "weight scale 0": (scale(b"dense_1/w", 0), "dense_1/w has unusable scales"),
    "weight scale NaN": (scale(b"dense_1/w", np.nan), "dense_1/w has unusable scales"),
    "weight scale negative": (scale(b"dense_1/w", -1), "dense_1/w has unusable scales"),
    "weight zero point": (_weights_zero_point, "dense_1/w has unusable scales"),
    "scales along inputs": (_scales_along_inputs, "dense_1/w has unusable scales"),
    "zero point 128": (_zero_point, "dense_1 has scale .* zero point 128"),
    "short bias": (_short_bias, "dense_1/b has 15 values"),
    "huge bias": (_huge_bias, "biases of dense_1"),
    # With these LiteRT leaves its default kernels for others, which round otherwise: no error, other codes.
    "bias scales missing": (_bias_scales_missing, "dense_1/b"),
    "bias scale negative": (scale(b"dense_1/b", -1), "dense_1/b has unusable scales"),
    "bias scale subnormal": (scale(b"dense_1/b", 1e-39), "dense_1/b has unusable scales"),
    "bias zero point": (_bias_zero_point, "dense_2/b has unusable scales"),
    "constant activations": (_constant_activation, "FULLY_CONNECTED dense_0: tensor dense_0 is a constant"),
    "a variable": (_variable, "FULLY_CONNECTED dense_0: tensor dense_0 is a constant or a variable"),
    "numbers outside": (_outside, "dense_1/w has its numbers outside"),
    "written twice": (
        _written_twice,
        "FULLY_CONNECTED dense_0: it makes tensor dense_0 once more: .* not one chain",
    ),
    "too few zero points": (_few_zero_points, "dense_1/w has unusable scales"),
    "another quantisation": (_other_quantisation, "dense_1 has a quantisation of another kind"),
    "memory plan": (_metadata(b"OfflineMemoryAllocation"), "metadata say OfflineMemoryAllocation"),
    "compressed": (_metadata(b"COMPRESSION_METADATA"), "metadata say COMPRESSION_METADATA"),
    "sums out of range": (_large_sums, "FULLY_CONNECTED dense_1: the sums of dense_1 are out of range"),
    "short weights": (_short_weights, "weights dense_1/w have 255 values, expected 256"),
    "weights not constant": (_no_weights, "weights dense_1/w are not constant"),
    "buffer out of range": (_buffer_out_of_range, "is damaged"),
    "weights too wide": (_wide_weights, r"weights dense_1/w are \(1, 256\)"),
    "not quantised": (_not_quantised, "dense_1 is not quantised"),
    "int16 activations": (_int16_activations, "dense_1 is not int8"),
    "uint8 input": (_uint8_end, "QUANTIZE x_q: tensor x is neither float32 nor int8"),
    "uint8 output": (_uint8_output, "DEQUANTIZE y: tensor y is neither float32 nor int8"),
    "fused tanh": (_fused(4), "FULLY_CONNECTED dense_0: its fused activation TANH is not supported"),
    "fused sign bit": (_fused(5), "FULLY_CONNECTED dense_0: its fused activation SIGN_BIT is not supported"),
    "fused nonsense": (
        _fused(99),
        "FULLY_CONNECTED dense_0: its fused activation number 99 is not supported",
    ),
    "shuffled weights": (_shuffled, "FULLY_CONNECTED dense_0: its weights are in a shuffled format"),
    "nine layers": (_nine_layers, "FULLY_CONNECTED dense_1: the model has 9 FULLY_CONNECTED layers; 1 to 8"),
    "no layers": (_ends_alone, "DEQUANTIZE y: the model has 0 FULLY_CONNECTED layers; 1 to 8"),
    "no operators": (_no_layers, "0 FULLY_CONNECTED layers"),
}
# These concern the file around the graph, or a graph without operators, or are no reading of a graph at all.
OUTSIDE = (
    "two subgraphs",
    "no subgraphs",
    "memory plan",
    "compressed",
    "no operators",
    "negative index",
    "buffer out of range",
)


@pytest.mark.parametrize("case", SPOILED, ids=[case.replace(" ", "-") for case in SPOILED])
def test_an_unsupported_model_is_refused_with_its_reason(case: str) -> None:
    spoil, message = SPOILED[case]
    with pytest.raises(ArtefactError, match=message) as caught:
        parse_spoiled(spoil)
    assert caught.value.message.startswith("spoiled.tflite")
    assert caught.value.next_step


INSIDE: dict[str, tuple[Net, Callable[[Any], None]]] = {
    **{case: (random_net(1), spoil) for case, (spoil, _) in SPOILED.items() if case not in OUTSIDE},
    **{case: (net, spoil) for case, (net, spoil, _) in MORE.items()},
}


@pytest.mark.parametrize("case", INSIDE, ids=[case.replace(" ", "-") for case in INSIDE])
def test_what_is_inside_the_graph_is_refused_with_operator_tensor_and_reason(case: str) -> None:
    net, spoil = INSIDE[case]
    root = model_object(net)
    spoil(root)
    with pytest.raises(ArtefactError) as caught:
        parse_quantized_model(pack(root), "spoiled.tflite")
    tensors = "|".join(re.escape(tensor.name.decode()) for tensor in root.subgraphs[0].tensors)
    operators = "|".join(CODE)
    place = rf"(?:{operators}) (?:{tensors}): (.+)"
    whole = rf"operator (?:{operators}) is not supported \(it makes tensor (?:{tensors})\); (.+)"
    found = re.fullmatch(f"spoiled.tflite: (?:{place}|{whole})", caught.value.message)
    assert found, caught.value.message
    assert len((found[1] or found[2]).split()) >= 4


def test_a_float_model_is_refused() -> None:
    def spoil(root: Any) -> None:
        for tensor in root.subgraphs[0].tensors:
            tensor.type, tensor.quantization = schema.TensorType.FLOAT32, None

    with pytest.raises(ArtefactError, match="tensor x_q is not int8"):
        parse_spoiled(spoil, float_ends=False)
