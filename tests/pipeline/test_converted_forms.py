"""The quantised file as the recipe wants it, per channel or per tensor, float or int8 at its ends; and that it runs."""

from dataclasses import replace

import numpy as np
import pytest

from sinehil.model.arrays import Float32s
from sinehil.model.interpreters import LitertOracle
from sinehil.model.tflite import QuantizedModel, parse_quantized_model
from sinehil_kernels import generate_kernel
from sinehil_kernels.check import check_kernel
from sinehil_pipeline.config import QuantizationRecipe
from sinehil_pipeline.conversion.convert import convert, representative_x
from sinehil_pipeline.conversion.evaluation import run_interpreter
from sinehil_pipeline.data.samples import make_dataset
from sinehil_pipeline.recipes import load_recipe, parse_override

BOOK = load_recipe("book")
FORMS = [(granularity, io) for granularity in ("per_channel", "per_tensor") for io in ("float", "int8")]
X = np.linspace(-1, 8, 200, dtype=np.float32)


@pytest.fixture(scope="module")
def weights() -> list[Float32s]:
    random = np.random.default_rng(5)
    shapes = [(1, 4), (4,), (4, 4), (4,), (4, 1), (1,)]
    return [random.uniform(-1, 1, shape).astype(np.float32) for shape in shapes]


def converted(weights: list[Float32s], granularity: str, io: str) -> QuantizedModel:
    final = replace(BOOK.final, hidden=(4, 4))
    recipe = replace(BOOK, final=final, quantization=QuantizationRecipe(granularity, io))
    return parse_quantized_model(convert(recipe, weights).quantized, "small.tflite")


@pytest.mark.parametrize(("granularity", "io"), FORMS)
def test_the_file_has_the_form_and_the_chain_takes_it(
    weights: list[Float32s], granularity: str, io: str
) -> None:
    model = converted(weights, granularity, io)
    scales = [len(set(layer.weight_scales.tolist())) for layer in model.layers]
    assert scales == ([4, 4, 1] if granularity == "per_channel" else [1, 1, 1])
    assert (model.float_input, model.float_output) == ((io == "float"),) * 2
    check_kernel(generate_kernel(model), model)
    assert run_interpreter(model.data, X).tobytes() == LitertOracle(model).predict(X).tobytes()


def test_the_ends_do_not_change_what_is_between(weights: list[Float32s]) -> None:
    inside, outside = (converted(weights, "per_channel", io) for io in ("float", "int8"))
    assert (inside.input, inside.output) == (outside.input, outside.output)
    assert all(
        np.array_equal(a.weights, b.weights) and np.array_equal(a.bias, b.bias)
        for a, b in zip(inside.layers, outside.layers, strict=True)
    )
    assert run_interpreter(inside.data, X).tobytes() == run_interpreter(outside.data, X).tobytes()


def test_what_calibrates_is_what_the_recipe_says() -> None:
    x = representative_x(BOOK)
    assert (len(x), x[0], x[-1]) == (500, 0, np.float32(2 * np.pi))
    book = replace(BOOK, representative="test", representative_samples=150)
    assert np.array_equal(representative_x(book), make_dataset(BOOK).test.x[:150])
    sinc = load_recipe("book", [parse_override("data.target=sinc")])
    assert (representative_x(sinc)[0], representative_x(sinc)[-1]) == tuple(
        np.float32([-2 * np.pi, 2 * np.pi])
    )
