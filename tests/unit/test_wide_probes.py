"""What is sent to a model with several inputs."""

import hashlib

import numpy as np
import pytest
from wide_models import wide_model

from sinehil.model.arithmetic import LITERT
from sinehil.model.tflite import QuantizedModel
from sinehil.verify import DEFAULT_SEED
from sinehil.verify import sampled_inputs as wide

ZERO_POINT = 7


@pytest.mark.parametrize("inputs", [2, 5, 64])
def test_samples_have_every_corner_and_are_what_the_seed_says(inputs: int) -> None:
    codes = wide.sampled_codes(inputs, ZERO_POINT, 10_000, DEFAULT_SEED)
    assert codes.shape == (10_000, inputs) and codes.dtype == np.int8
    rows = {row.tobytes() for row in codes}
    for code in (-128, 127, ZERO_POINT):
        assert np.full(inputs, code, np.int8).tobytes() in rows
    for at in range(inputs):
        assert len(np.unique(codes[:, at])) == 256
        for code, others in ((-128, ZERO_POINT), (127, ZERO_POINT), (-128, 127), (127, -128)):
            row = np.full(inputs, others, np.int8)
            row[at] = code
            assert row.tobytes() in rows
    assert len(rows) == 10_000
    assert np.array_equal(codes, wide.sampled_codes(inputs, ZERO_POINT, 10_000, DEFAULT_SEED))
    assert not np.array_equal(codes, wide.sampled_codes(inputs, ZERO_POINT, 10_000, DEFAULT_SEED + 1))
    more = wide.sampled_codes(inputs, ZERO_POINT, 20_000, DEFAULT_SEED)
    assert len(np.unique(more, axis=0)) == 20_000


def test_more_samples_than_there_are_are_all_of_them() -> None:
    assert len(np.unique(wide.sampled_codes(2, 0, 100_000, DEFAULT_SEED), axis=0)) == 256**2


def test_a_seed_means_the_same_samples_everywhere() -> None:
    codes = wide.sampled_codes(3, 0, 10_000, DEFAULT_SEED)
    assert hashlib.sha256(codes.tobytes()).hexdigest()[:16] == "f922f7cadcb104e6"


@pytest.fixture(scope="module", params=[(2, 1), (5, 3), (64, 2)], ids=str)
def model(request: pytest.FixtureRequest) -> QuantizedModel:
    return wide_model(*request.param)


def test_every_step_is_sent_where_it_shows_and_every_input_has_one(model: QuantizedModel) -> None:
    x = wide.float_probes(model, "litert", DEFAULT_SEED)
    assert x.shape[1] == model.inputs and x.dtype == np.float32
    steps = LITERT.quantizer_steps(model.input)
    y_q = LITERT.infer_codes(model, LITERT.quantize_input(x, model.input))
    seen, places = set(), set()
    for row in range(len(x) - 1):
        at = np.flatnonzero(x[row].view(np.uint32) != x[row + 1].view(np.uint32))
        if len(at) == 1 and np.any(y_q[row] != y_q[row + 1]):
            step = np.flatnonzero((steps[:, 0] == x[row, at[0]]) & (steps[:, 1] == x[row + 1, at[0]]))
            if len(step):
                seen.add(int(step[0]))
                places.add(int(at[0]))
    assert (len(seen), len(places)) == (255, model.inputs)


def test_special_values_go_to_one_input_and_to_all(model: QuantizedModel) -> None:
    x = wide.float_probes(model, "litert", DEFAULT_SEED)
    for special in (np.isnan(x), np.isposinf(x), np.isneginf(x), (x == 0) & np.signbit(x)):
        assert special.all(axis=1).any() and (special.sum(axis=1) == 1).any()


def test_float_samples_fill_the_range(model: QuantizedModel) -> None:
    x = wide.float_samples(model.input, model.inputs, 500, DEFAULT_SEED)
    codes = LITERT.quantize_input(x, model.input)
    assert x.shape == (500, model.inputs) and (codes.min(), codes.max()) <= (-125, 127)
    assert codes.min() < -120 and codes.max() > 120


def test_cycles_are_measured_over_extremes_and_uniform_samples() -> None:
    codes = wide.bench_codes(4, ZERO_POINT)
    assert codes.shape == (wide.BENCH_SAMPLES, 4)
    assert (codes[0] == -128).all() and (codes[1] == 127).all() and len(np.unique(codes)) == 256
