"""Rounding at ties: vectors worked out with fractions, against the NumPy rules and against the real interpreters."""

from dataclasses import dataclass
from itertools import product

import numpy as np
import pytest
import rounding_reference
from models import Layer, Net

from sinehil.model.arithmetic import ORACLES, arithmetic_of
from sinehil.model.interpreters import open_oracle
from sinehil.model.tflite import Quantization, QuantizedModel


@dataclass(frozen=True)
class Vector:
    scales: tuple[np.float32, np.float32, np.float32]
    per_tensor: bool
    accumulator: int
    rounded: dict[str, int]

    def model(self, zero_point: int = 0) -> QuantizedModel:
        """Two neurons without weights, whose biases are the accumulator: their codes show what it is rounded to."""
        si, sw, so = self.scales
        layer = Layer(
            weights=np.zeros((2, 1), np.int8),
            bias=np.full(2, self.accumulator, np.int32),
            weight_scales=np.full(1 if self.per_tensor else 2, sw),
            output=Quantization(so, zero_point),
            activation="NONE",
        )
        return Net(Quantization(si, 0), (layer,), float_ends=False).model()


def vector(line: str) -> Vector:
    si, sw, so, scales, accumulator, *results = (cell.strip() for cell in line.split("|"))
    rounded = dict(zip(ORACLES, map(int, results), strict=True))
    return Vector((scale(si), scale(sw), scale(so)), scales == "one", int(accumulator), rounded)


def scale(text: str) -> np.float32:
    factor, exponent = text.split("*2^")
    return np.float32(np.ldexp(float(factor), int(exponent)))


LINES = rounding_reference.VECTORS.read_text().splitlines()
ROWS = [vector(line) for line in LINES if not line.startswith("#")]


def test_the_vectors_are_what_the_reference_makes() -> None:
    assert rounding_reference.text() == rounding_reference.VECTORS.read_text()


def test_the_vectors_tell_all_oracles_apart() -> None:
    for one, other in (("litert", "litert-ref"), ("litert-ref", "tflm"), ("litert", "tflm")):
        assert sum(row.rounded[one] != row.rounded[other] for row in ROWS) > 20
    assert {row.per_tensor for row in ROWS} == {True, False}


@pytest.mark.parametrize("oracle", ORACLES)
def test_the_rules_round_as_worked_out(oracle: str) -> None:
    rules = arithmetic_of(oracle)
    for row in ROWS:
        (layer,) = row.model().dense_layers
        found = rules.requantize(layer, np.full((1, 2), row.accumulator, np.int64))
        assert found.tolist() == [[row.rounded[oracle]] * 2], row


@pytest.mark.parametrize("zero_point", [0, 1, -13])
@pytest.mark.parametrize("oracle", ORACLES)
def test_the_interpreter_rounds_as_worked_out(oracle: str, zero_point: int) -> None:
    """The zero point is added afterwards: an odd one does not make another number of a tie even."""
    for row in (row for row in ROWS if max(map(abs, row.rounded.values())) < 115):
        found = open_oracle(oracle, row.model(zero_point)).predict_codes(np.zeros((1, 1), np.int8))
        assert found.tolist() == [[row.rounded[oracle] + zero_point] * 2], row


@pytest.mark.parametrize("oracle", ORACLES)
def test_relu6_ends_where_the_interpreter_ends_it(oracle: str) -> None:
    """6 / scale is at a tie, or as near as float32 comes: there even the order of adding and rounding shows."""
    rules, ties, other = arithmetic_of(oracle), 0, 0
    for steps, zero_point in product(range(20, 255, 3), (-128, -101, -20, 1)):
        output = Quantization(np.float32(6 / (steps + 0.5)), zero_point)
        factor = np.array([output.scale * np.float32(8)], np.float32)
        layer = Layer(np.zeros((1, 1), np.int8), np.array([2**20], np.int32), factor, output, "RELU6")
        model = Net(Quantization(np.float32(0.125), 0), (layer,), float_ends=False).model()
        found = open_oracle(oracle, model).predict_codes(np.zeros(1, np.int8))
        limits = [arithmetic_of(name).code_limits(model.dense_layers[0]) for name in ORACLES]
        assert found.tolist() == [rules.code_limits(model.dense_layers[0])[1]]
        ties += np.float32(6) / output.scale == steps + 0.5
        other += len(set(limits)) > 1
    assert ties > 100 and other > 50  # negative control: another oracle's limit would not pass


@pytest.mark.parametrize("oracle", ORACLES)
@pytest.mark.parametrize("other", ORACLES)
def test_the_rules_of_another_oracle_do_not_pass(oracle: str, other: str) -> None:
    """Negative control: the comparison above fails for every oracle but its own."""
    wrong = 0
    for row in ROWS:
        (layer,) = row.model().dense_layers
        found = arithmetic_of(other).requantize(layer, np.full((1, 2), row.accumulator, np.int64))
        wrong += found.tolist() != [[row.rounded[oracle]] * 2]
    assert (wrong > 20) == (oracle != other) and (wrong == 0) == (oracle == other)
