"""Reading hostile .tflite files: a model, or an ArtefactError that names what is wrong; nothing else, ever."""

import json
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from models import Reshape, Table, model_object, pack
from nets import deep_net, random_net

from sinehil.errors import ArtefactError, ExitCode
from sinehil.model.tflite import (
    MAX_FILE_BYTES,
    FullyConnected,
    Lookup,
    Quantization,
    load_quantized_model,
    parse_quantized_model,
)

GOOD = random_net(1).file()


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
    with pytest.raises(ArtefactError, match=r"big\.tflite has more than 1048576 bytes") as caught:
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


def test_a_dynamic_batch_is_fine() -> None:
    model = deep_net(1, batch_signature=True).model()
    assert (model.inputs, model.outputs, model.batchable) == (5, 4, True)


def test_tables_are_layers_and_reshapes_are_not() -> None:
    first, last = deep_net(2, (3, 12, 2)).layers
    chain = (first, Reshape((3, 4)), Table("TANH"), Reshape((12,), "options"), last, Table("LOGISTIC"))
    model = replace(deep_net(2, (3, 12, 2)), layers=chain).model()
    kinds = [(type(layer), layer.name, layer.inputs, layer.outputs) for layer in model.layers]
    assert kinds == [
        (FullyConnected, "dense_0", 3, 12),
        (Lookup, "tanh_2", 12, 12),
        (FullyConnected, "dense_4", 12, 2),
        (Lookup, "logistic_5", 2, 2),
    ]
    assert [layer.name for layer in model.dense_layers] == ["dense_0", "dense_4"]
    assert (model.inputs, model.outputs, model.batchable) == (3, 2, False)
    assert model.output == Quantization(np.float32(1 / 256), -128)
    for before, after in pairwise(model.layers):
        assert before.output == after.input


@pytest.mark.parametrize("source", [True, False])
@pytest.mark.parametrize("result", [True, False])
def test_each_end_is_float_or_int8_on_its_own(source: bool, result: bool) -> None:
    model = deep_net(3, float_input=source, float_output=result).model()
    assert (model.float_input, model.float_output) == (source, result)
    assert model.layers[0].weights.shape == (9, 5)


def test_a_reshape_may_stand_outside_of_the_conversions() -> None:
    model = deep_net(3, float_lead=(1, 1)).model()
    assert (model.inputs, model.outputs, model.batchable) == (5, 4, False)
    assert len(model.layers) == 2 and model.float_input and model.float_output


@pytest.mark.parametrize("lead", [(1,), (), (1, 1), (1, 1, 1, 1)])
def test_shapes_around_one_sample(lead: tuple[int, ...]) -> None:
    model = deep_net(4, (64, 1, 64), lead=lead).model()
    assert (model.inputs, model.outputs, model.batchable) == (64, 64, lead == (1,))


def test_a_missing_bias_may_be_left_out_of_the_list() -> None:
    model = deep_net(5, with_bias=False, short_inputs=True).model()
    assert not any(layer.bias.any() for layer in model.dense_layers)


def test_equal_constants_may_share_a_buffer() -> None:
    net = deep_net(6, (4, 4, 4))
    same = replace(net, layers=(net.layers[0], net.layers[0]))
    alone, shared = same.file(), replace(same, share_buffers=True).file()
    first, second = parse_quantized_model(shared, "shared").dense_layers
    assert len(shared) < len(alone) and np.array_equal(first.weights, second.weights)


def test_what_follows_the_dequantize_may_only_be_a_reshape() -> None:
    root = model_object(deep_net(7))
    assert parse_quantized_model(pack(root), "good").float_output
    operators = root.subgraphs[0].operators
    operators[-1].opcodeIndex, operators[-2].opcodeIndex = (
        operators[-2].opcodeIndex,
        operators[-1].opcodeIndex,
    )
    with pytest.raises(ArtefactError, match="DEQUANTIZE dense_1: tensor dense_1 is not float32"):
        parse_quantized_model(pack(root), "bad")


@pytest.mark.timeout(120)
def test_damaged_files_that_are_taken_are_computed_as_the_rules_say_or_refused() -> None:
    """No interpreter crashes on them, or reads them otherwise than the reader does."""
    command = [sys.executable, Path(__file__).with_name("fuzz_oracles.py"), "5", "800"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found["taken"] > 50 and found["equal"] > 100 and found["refused"] > 0
    assert found["different"] == 0
