"""Reading hostile .tflite files: a model, or an ArtefactError that names what is wrong; nothing else, ever."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from models import model_object, pack
from nets import random_net

from sinehil.errors import ArtefactError, ExitCode
from sinehil.tflite_model import MAX_FILE_BYTES, QuantizedModel, load_quantized_model, parse_quantized_model

GOOD = random_net(1).file()
CODE = {name: value for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}


def parse_spoiled(spoil: Callable[[Any], None], *, float_ends: bool = True) -> QuantizedModel:
    root = model_object(random_net(1, float_ends=float_ends))
    spoil(root)
    return parse_quantized_model(pack(root), "spoiled.tflite")


def named(root: Any, name: bytes) -> Any:
    return next(tensor for tensor in root.subgraphs[0].tensors if tensor.name == name)


def model_or_artefact_error(data: bytes) -> bool:
    """Return whether the bytes still are a model; every other exception passes through and fails the test."""
    try:
        model = parse_quantized_model(data, "file.tflite")
    except ArtefactError as error:
        assert error.message.startswith("file.tflite")
        assert "\n" not in error.message
        assert len(error.message) < 400
        assert error.next_step
        return False
    assert model.data == data
    return True


def test_a_good_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    net = random_net(5)
    (tmp_path / "model.tflite").write_bytes(net.file())
    model = load_quantized_model(tmp_path / "model.tflite")
    assert (model.inputs, model.outputs, model.float_input, model.float_output) == (1, 1, True, True)
    assert model.input == net.input
    assert model.output == net.layers[-1].output
    assert [layer.name for layer in model.layers] == ["dense_0", "dense_1", "dense_2"]
    for read, written in zip(model.layers, net.layers, strict=True):
        np.testing.assert_array_equal(read.weights, written.weights)
        np.testing.assert_array_equal(read.bias, written.bias)
        np.testing.assert_array_equal(read.weight_scales, written.weight_scales)
        assert read.activation == written.activation


def test_a_missing_bias_reads_as_zeros_and_one_scale_as_one_per_neuron() -> None:
    model = random_net(6, with_bias=False, per_tensor=True).model()
    assert [layer.bias.tolist() for layer in model.layers] == [[0] * 16, [0] * 16, [0]]
    assert [len(layer.weight_scales) for layer in model.layers] == [16, 16, 1]


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.tflite", tmp_path):
        with pytest.raises(ArtefactError, match=path.name) as caught:
            load_quantized_model(path)
        assert caught.value.exit_code == ExitCode.ARTEFACT
        assert caught.value.next_step


@pytest.mark.parametrize("data", [b"", b"TFL3", b"\0" * 4096, b"GIF89a" * 100, GOOD[:4] + b"TFL4" + GOOD[8:]])
def test_what_is_not_a_tflite(data: bytes) -> None:
    with pytest.raises(ArtefactError, match=r"x\.bin is not a \.tflite file"):
        parse_quantized_model(data, "x.bin")


def test_a_file_over_the_limit_is_not_even_read(tmp_path: Path) -> None:
    path = tmp_path / "big.tflite"
    path.write_bytes(GOOD + b"\0" * (MAX_FILE_BYTES + 1 - len(GOOD)))
    with pytest.raises(ArtefactError, match=r"big\.tflite has 1048577 bytes") as caught:
        load_quantized_model(path)
    assert caught.value.next_step


@pytest.mark.timeout(30)
def test_every_truncation_ends_in_a_model_or_an_artefact_error() -> None:
    still_good = [model_or_artefact_error(GOOD[:length]) for length in range(0, len(GOOD), 7)]
    assert still_good.count(False) > len(still_good) * 3 // 4


@pytest.mark.timeout(30)
def test_random_flips_end_in_a_model_or_an_artefact_error() -> None:
    random = np.random.default_rng(20)
    still_good = []
    for _ in range(300):
        data = bytearray(GOOD)
        for position in random.integers(len(data), size=random.integers(1, 4)):
            data[position] ^= int(random.integers(1, 256))
        still_good.append(model_or_artefact_error(bytes(data)))
    assert still_good.count(False) > 50  # most bytes are weights and names; the others are noticed


@pytest.mark.timeout(30)
def test_huge_lengths_and_offsets_end_quickly() -> None:
    for position in range(0, len(GOOD) - 4, 16):
        for word in (b"\xff\xff\xff\x7f", b"\xff\xff\xff\xff"):
            if position != 4:
                model_or_artefact_error(GOOD[:position] + word + GOOD[position + 4 :])


@pytest.mark.timeout(30)
@pytest.mark.parametrize("part", ["subgraphs", "operatorCodes", "buffers", "metadata", "signatureDefs"])
def test_a_small_file_that_unpacks_into_very_much_ends_quickly(part: str) -> None:
    root = model_object(random_net(1))
    if part == "metadata":
        root.metadata = [schema.MetadataT()] * 40_000
    elif part == "signatureDefs":
        root.signatureDefs = [schema.SignatureDefT()] * 40_000
    else:
        entries = getattr(root, part)
        setattr(root, part, entries + [type(entries[0])()] * 40_000)
    with pytest.raises(ArtefactError, match="more than"):
        parse_quantized_model(pack(root), "deep.tflite")


def _operator(code: str) -> Callable[[Any], None]:
    def spoil(root: Any) -> None:
        number = CODE[code]
        root.operatorCodes[1].builtinCode, root.operatorCodes[1].deprecatedBuiltinCode = (
            number,
            min(number, 127),
        )

    return spoil


def _scale(tensor: bytes, scale: float) -> Callable[[Any], None]:
    def spoil(root: Any) -> None:
        entry = named(root, tensor).quantization
        entry.scale = np.full(len(entry.scale), scale, np.float32)

    return spoil


def _two_subgraphs(root: Any) -> None:
    root.subgraphs = root.subgraphs * 2


def _no_subgraphs(root: Any) -> None:
    root.subgraphs = None


def _two_inputs(root: Any) -> None:
    root.subgraphs[0].inputs = [0, 1]


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


def _tanh(root: Any) -> None:
    root.subgraphs[0].operators[1].builtinOptions.fusedActivationFunction = 4


def _shuffled(root: Any) -> None:
    root.subgraphs[0].operators[1].builtinOptions.weightsFormat = 1


def _nine_layers(root: Any) -> None:
    operators = root.subgraphs[0].operators
    root.subgraphs[0].operators = [operators[0], *[operators[2]] * 9, operators[-1]]


def _no_layers(root: Any) -> None:
    root.subgraphs[0].operators = []


SPOILED: dict[str, tuple[Callable[[Any], None], str]] = {
    "conv": (_operator("CONV_2D"), "operator CONV_2D is not supported"),
    "add": (_operator("ADD"), "operator ADD is not supported"),
    "new operator": (_operator("STABLEHLO_ADD"), "operator STABLEHLO_ADD is not supported"),
    "two subgraphs": (_two_subgraphs, "exactly one subgraph"),
    "no subgraphs": (_no_subgraphs, "exactly one subgraph"),
    "two inputs": (_two_inputs, "exactly one input"),
    "dynamic width": (_dynamic_width, "dense_0 has shape"),
    "batch of two": (_batch_of_two, "dense_0 has shape"),
    "negative index": (_negative_index, "spoiled.tflite"),
    "not a chain": (_not_a_chain, "not one chain"),
    "another end": (_other_end, "do not end in its output"),
    "scale 0": (_scale(b"dense_0", 0), "dense_0 has scale 0"),
    "scale NaN": (_scale(b"dense_0", np.nan), "dense_0 has scale nan"),
    "scale infinite": (_scale(b"dense_0", np.inf), "dense_0 has scale inf"),
    "scale negative": (_scale(b"dense_0", -0.5), "dense_0 has scale -0.5"),
    "scale subnormal": (_scale(b"x_q", 1e-45), "x_q has scale"),
    "scales too far apart": (_scale(b"dense_0", 1e-9), "scales of dense_0"),
    "weight scale 0": (_scale(b"dense_1/w", 0), "dense_1/w has unusable scales"),
    "weight scale NaN": (_scale(b"dense_1/w", np.nan), "dense_1/w has unusable scales"),
    "weight scale negative": (_scale(b"dense_1/w", -1), "dense_1/w has unusable scales"),
    "weight zero point": (_weights_zero_point, "dense_1/w has unusable scales"),
    "scales along inputs": (_scales_along_inputs, "dense_1/w has unusable scales"),
    "zero point 128": (_zero_point, "dense_1 has scale .* zero point 128"),
    "short bias": (_short_bias, "dense_1/b has 15 values"),
    "huge bias": (_huge_bias, "biases of dense_1"),
    # With these LiteRT leaves its default kernels for others, which round otherwise: no error, other codes.
    "bias scales missing": (_bias_scales_missing, "dense_1/b"),
    "bias scale negative": (_scale(b"dense_1/b", -1), "dense_1/b has unusable scales"),
    "bias scale subnormal": (_scale(b"dense_1/b", 1e-39), "dense_1/b has unusable scales"),
    "bias zero point": (_bias_zero_point, "dense_2/b has unusable scales"),
    "short weights": (_short_weights, "weights of dense_1"),
    "weights not constant": (_no_weights, "dense_1/w is not a constant"),
    "buffer out of range": (_buffer_out_of_range, "is damaged"),
    "weights too wide": (_wide_weights, "weights of dense_1"),
    "not quantised": (_not_quantised, "dense_1 is not quantised"),
    "int16 activations": (_int16_activations, "dense_1 is not int8"),
    "uint8 input": (_uint8_end, "tensor x is neither float32 nor int8"),
    "tanh": (_tanh, "layer dense_0 has an activation"),
    "shuffled weights": (_shuffled, "layer dense_0 has an activation or weight format"),
    "nine layers": (_nine_layers, "9 FULLY_CONNECTED layers"),
    "no layers": (_no_layers, "0 FULLY_CONNECTED layers"),
}


@pytest.mark.parametrize("case", SPOILED, ids=[case.replace(" ", "-") for case in SPOILED])
def test_an_unsupported_model_is_refused_with_its_reason(case: str) -> None:
    spoil, message = SPOILED[case]
    with pytest.raises(ArtefactError, match=message) as caught:
        parse_spoiled(spoil)
    assert caught.value.message.startswith("spoiled.tflite")
    assert caught.value.next_step


def test_a_float_model_is_refused() -> None:
    def spoil(root: Any) -> None:
        for tensor in root.subgraphs[0].tensors:
            tensor.type, tensor.quantization = schema.TensorType.FLOAT32, None

    with pytest.raises(ArtefactError, match="dense_0/w is not int8"):
        parse_spoiled(spoil, float_ends=False)


def test_a_dynamic_batch_is_fine() -> None:
    def spoil(root: Any) -> None:
        named(root, b"dense_0").shapeSignature = [-1, 16]

    assert parse_spoiled(spoil).inputs == 1
