"""The real interpreters: what they take and give, one by one and in batches, and how they fail."""

import importlib.metadata
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from models import Net, model_object, pack
from nets import deep_net, random_net, variety

from sinehil.errors import ArtefactError, ExitCode, ToolError
from sinehil.model.arithmetic import ORACLES, arithmetic_of, dequantize
from sinehil.model.interpreters import LitertOracle, open_oracle
from sinehil.model.tflite import QuantizedModel, parse_quantized_model
from sinehil.verify.probes import all_codes

NETS = variety()


@pytest.fixture(params=ORACLES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_it_says_who_it_is(name: str) -> None:
    oracle = open_oracle(name, random_net(1).model())
    assert oracle.name == name
    assert oracle.version == importlib.metadata.version(
        "tflite-micro" if name == "tflm" else "ai-edge-litert"
    )


@pytest.mark.parametrize("net", ["plain 0", "per-tensor 11", "wide 51"])
def test_a_batch_gives_what_single_samples_give(name: str, net: str) -> None:
    oracle = open_oracle(name, NETS[net].model())
    x_q = all_codes()[::17]
    single = [oracle.predict_codes(x_q[index : index + 1]).item() for index in range(len(x_q))]
    assert single == oracle.predict_codes(x_q).tolist()


def test_a_wide_batch_gives_what_single_samples_give(name: str) -> None:
    model = deep_net(4, (7, 20, 3)).model()
    oracle = open_oracle(name, model)
    x = np.random.default_rng(1).uniform(-3, 4, (40, 7)).astype(np.float32)
    single = np.concatenate([oracle.predict(x[index : index + 1]) for index in range(len(x))])
    assert single.tobytes() == oracle.predict(x).tobytes()


def test_shapes_follow_what_was_given(name: str) -> None:
    def shapes(net: Net, *given: tuple[int, ...]) -> list[tuple[int, ...]]:
        oracle = open_oracle(name, net.model())
        codes = [oracle.predict_codes(np.zeros(shape, np.int8)).shape for shape in given]
        assert codes == [oracle.predict(np.zeros(shape, np.float32)).shape for shape in given]
        return codes

    assert shapes(random_net(1), (5,), (5, 1)) == [(5,), (5, 1)]
    assert shapes(deep_net(1, (1, 3)), (5,), (5, 1)) == [(5, 3), (5, 3)]
    assert shapes(deep_net(1, (4, 3)), (5, 4)) == [(5, 3)]
    assert shapes(deep_net(1, (4, 1)), (5, 4)) == [(5, 1)]
    assert shapes(deep_net(1, (4, 3), lead=()), (5, 4), (0, 4)) == [(5, 3), (0, 3)]


@pytest.mark.parametrize("float_input", [True, False])
@pytest.mark.parametrize("float_output", [True, False])
def test_floats_and_codes_agree_whatever_the_ends_are(
    name: str, float_input: bool, float_output: bool
) -> None:
    model = deep_net(8, float_input=float_input, float_output=float_output).model()
    assert (model.float_input, model.float_output) == (float_input, float_output)
    oracle, rules = open_oracle(name, model), arithmetic_of(name)
    x = np.random.default_rng(2).uniform(-3, 4, (200, 5)).astype(np.float32)
    y_q = oracle.predict_codes(rules.quantize_input(x, model.input))
    assert y_q.dtype == np.int8 and len(np.unique(y_q)) > 50
    assert dequantize(y_q, model.output).tobytes() == oracle.predict(x).tobytes()


def _bad_name(root: Any) -> None:
    root.subgraphs[0].tensors[root.subgraphs[0].inputs[0]].name = b"\xff\xce"


def _bad_version(root: Any) -> None:
    root.version = 77


def _bad_operator_version(root: Any) -> None:
    root.operatorCodes[1].version = 99


def spoiled(spoil: Callable[[Any], None]) -> QuantizedModel:
    root = model_object(random_net(1))
    spoil(root)
    return parse_quantized_model(pack(root), "odd.tflite")


@pytest.mark.parametrize("spoil", [_bad_name, _bad_version, _bad_operator_version])
def test_what_only_the_interpreter_refuses_is_an_artefact_error(spoil: Callable[[Any], None]) -> None:
    with pytest.raises(ArtefactError, match="the interpreter refuses the model") as caught:
        LitertOracle(spoiled(spoil))
    assert caught.value.next_step


@pytest.mark.parametrize("name", ["litert-ref", "tflm"])
def test_the_reference_kernels_refuse_a_bias_of_another_scale(name: str) -> None:
    root = model_object(random_net(1, per_tensor=True))
    bias = next(tensor for tensor in root.subgraphs[0].tensors if tensor.name == b"dense_1/b")
    bias.quantization.scale = np.array([7], np.float32)
    model = parse_quantized_model(pack(root), "odd.tflite")
    with pytest.raises(ArtefactError, match="the interpreter refuses the model"):
        open_oracle(name, model)


def test_a_missing_package_is_one_sentence_and_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(package: str) -> str:
        raise importlib.metadata.PackageNotFoundError(package)

    monkeypatch.setattr("sinehil.model.interpreters.version", missing)
    with pytest.raises(ToolError, match="tflm needs the Python package tflite-micro") as caught:
        open_oracle("tflm", random_net(1).model())
    assert caught.value.exit_code == ExitCode.TOOL and 'pip install "sinehil[tflm]"' in caught.value.next_step


def test_a_package_for_another_machine_is_one_sentence_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        sys.modules, "tflite_micro", None
    )  # what an import of it then raises is an ImportError
    with pytest.raises(ToolError, match="the oracle tflm cannot be loaded: import of tflite_micro") as caught:
        open_oracle("tflm", random_net(1).model())
    assert caught.value.exit_code == ExitCode.TOOL and 'pip install "sinehil[tflm]"' in caught.value.next_step
