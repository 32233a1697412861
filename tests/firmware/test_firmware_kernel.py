"""The firmware with a real generated kernel in it, against the interpreter that runs the same .tflite."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from native_link import Build, NativeLink

from sinehil.board.device import Device
from sinehil.model.arithmetic import LITERT
from sinehil.model.interpreters import LitertOracle
from sinehil.model.tflite import QuantizedModel, parse_quantized_model
from sinehil_kernels import GeneratedKernel, generate_kernel
from sinehil_pipeline.conversion.convert import convert
from sinehil_pipeline.recipes import load_recipe

BOOK = load_recipe("book")

EVERY_CODE = np.arange(-128, 128).astype(np.int8)
SPECIAL = np.array(
    [0.0, -0.0, 1e-45, -1e-45, 3.4028235e38, -3.4028235e38, np.inf, -np.inf, np.nan], np.float32
)


@pytest.fixture(scope="session")
def model() -> QuantizedModel:
    """A 1-4-4-1 net with fixed weights, converted as the pipeline converts the book's."""
    random = np.random.default_rng(5)
    recipe = replace(BOOK, final=replace(BOOK.final, hidden=(4, 4)))
    shapes = [(1, 4), (4,), (4, 4), (4,), (4, 1), (1,)]
    weights = [random.uniform(-1, 1, shape).astype(np.float32) for shape in shapes]
    return parse_quantized_model(convert(recipe, weights).quantized, "small.tflite")


@pytest.fixture(scope="session")
def kernel(model: QuantizedModel) -> GeneratedKernel:
    return generate_kernel(model)


def start(build: Build, source: str, folder: Path) -> NativeLink:
    kernel_c = folder / "sinehil_kernel.c"
    kernel_c.write_text(source)
    return NativeLink(
        build(["protocol.cpp", "commands.cpp", "crc32.c", "float_io.c"], ["native_device.cpp", str(kernel_c)])
    )


@pytest.fixture(scope="session")
def device(
    build: Build, kernel: GeneratedKernel, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Device]:
    link = start(build, kernel.source, tmp_path_factory.mktemp("kernel"))
    device = Device(link)
    device.connect()
    yield device
    assert link.end() == 0, "a sanitizer stopped the firmware"
    assert (device.crc_errors, device.counters.retries) == (0, 0)


def test_it_says_which_model_it_computes(
    device: Device, model: QuantizedModel, kernel: GeneratedKernel
) -> None:
    identity = device.identify()
    assert (identity.model_sha256, identity.weights_crc32) == (model.sha256, kernel.weights_crc32)
    assert (identity.engine, identity.oracle) == ("portable", "litert")
    assert (identity.inputs, identity.outputs) == (1, 1)
    assert np.float32(identity.input_scale) == model.input.scale
    assert np.float32(identity.output_scale) == model.output.scale
    zero_points = (identity.input_zero_point, identity.output_zero_point)
    assert zero_points == (model.input.zero_point, model.output.zero_point)


def test_every_code_gives_the_interpreters_code(device: Device, model: QuantizedModel) -> None:
    expected = LitertOracle(model).predict_codes(EVERY_CODE)
    assert len(set(expected.tolist())) > 50, "a model that says something"
    assert np.array_equal(device.infer_codes(EVERY_CODE), expected)


@pytest.mark.parametrize("inputs", ["codes", "quantizer steps", "special"])
def test_floats_give_the_interpreters_bits(device: Device, model: QuantizedModel, inputs: str) -> None:
    x = {
        "codes": (EVERY_CODE.astype(np.float32) - model.input.zero_point) * model.input.scale,
        "quantizer steps": LITERT.quantizer_steps(model.input).ravel(),
        "special": SPECIAL,
    }[inputs]
    assert device.infer_floats(x).tobytes() == LitertOracle(model).predict(x).tobytes()


def test_a_changed_weight_is_noticed(
    build: Build, kernel: GeneratedKernel, model: QuantizedModel, tmp_path: Path
) -> None:
    """Negative control: the same firmware with one weight changed has another checksum and other results."""
    source = changed_weight(kernel.source)
    link = start(build, source, tmp_path)
    device = Device(link)
    assert device.connect().weights_crc32 != kernel.weights_crc32
    assert not np.array_equal(device.infer_codes(EVERY_CODE), LitertOracle(model).predict_codes(EVERY_CODE))
    assert link.end() == 0


def changed_weight(source: str) -> str:
    """Negate the first layer's first weight that is not 0."""
    table = re.search(r"weights\w*\[[^]]*\][^=]*=\s*\{([^}]*)\}", source)
    assert table is not None
    numbers = table[1]
    changed = re.sub(r"-?[1-9]\d*", lambda found: str(-int(found[0])), numbers, count=1)
    assert changed != numbers
    return source.replace(numbers, changed, 1)
