"""TANH and LOGISTIC: all 256 entries of each oracle's table against its real interpreter, for many scales."""

from dataclasses import replace

import numpy as np
import pytest
from models import Layer, Net, Table

from sinehil.model.arithmetic import ORACLES, arithmetic_of
from sinehil.model.interpreters import open_oracle
from sinehil.model.tflite import Lookup, Quantization, QuantizedModel
from sinehil.verify.probes import all_codes

OPERATORS = ("TANH", "LOGISTIC")
COUNT = 300


def table_model(operator: str, source: Quantization) -> QuantizedModel:
    """A model that gives what its table gives: the layer after it takes every code to itself."""
    table = Table(operator)
    half = Layer(np.array([[64]], np.int8), None, np.array([1 / 64], np.float32), table.output, "NONE")
    return Net(source, (table, half), float_ends=False).model()


def lookup_of(model: QuantizedModel) -> Lookup:
    first = model.layers[0]
    assert isinstance(first, Lookup)
    return first


def sources(seed: int) -> list[Quantization]:
    """The reader's limits, usual scales, and any between the limits; zero points at both ends and within."""
    random = np.random.default_rng(seed)
    usual = np.exp(random.uniform(np.log(1e-3), np.log(0.3), COUNT // 2))
    any_ = 2.0 ** random.uniform(-20, 20, COUNT // 2)
    scales = [2.0**-20, 2.0**20, 2.0**-4, 1 / 16, *usual, *any_]
    return [
        Quantization(np.float32(scale), int(random.choice([-128, 127, 0, random.integers(-128, 128)])))
        for scale in scales
    ]


@pytest.mark.parametrize("oracle", ORACLES)
@pytest.mark.parametrize("operator", OPERATORS)
def test_every_entry_is_the_interpreters(operator: str, oracle: str) -> None:
    for source in sources(OPERATORS.index(operator)):
        model = table_model(operator, source)
        expected = open_oracle(oracle, model).predict_codes(all_codes())
        found = arithmetic_of(oracle).lookup(lookup_of(model))
        np.testing.assert_array_equal(found, expected, err_msg=str(source))


@pytest.mark.parametrize("operator", OPERATORS)
def test_the_table_of_another_oracle_is_noticed(operator: str) -> None:
    """Negative control: TFLM's fixed point gives other entries, never more than one code away."""
    differing = 0
    for source in sources(9):
        lookup = lookup_of(table_model(operator, source))
        one, other = (arithmetic_of(name).lookup(lookup).astype(int) for name in ("litert", "tflm"))
        differing += bool(np.any(one != other))
        if source.scale < 0.3:  # with few entries between its ends, the fixed point's own saturation shows
            assert np.abs(one - other).max() <= 1
    assert differing > 10


@pytest.mark.parametrize("oracle", ORACLES)
@pytest.mark.parametrize("operator", OPERATORS)
def test_a_table_is_close_to_the_function(operator: str, oracle: str) -> None:
    lookup = lookup_of(table_model(operator, Quantization(np.float32(0.05), 3)))
    x = (np.arange(-128, 128) - 3) * 0.05
    exact = np.tanh(x) if operator == "TANH" else 1 / (1 + np.exp(-x))
    codes = arithmetic_of(oracle).lookup(lookup).astype(np.float64)
    error = np.abs((codes - lookup.output.zero_point) * float(lookup.output.scale) - exact)
    assert error.max() < 1.01 * float(lookup.output.scale)
    assert np.all(np.diff(codes) >= 0)
    other = replace(lookup, input=Quantization(np.float32(0.06), 3))
    assert np.any(arithmetic_of(oracle).lookup(other) != codes)
