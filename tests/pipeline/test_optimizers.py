import math

import numpy as np
import pytest

from sinehil_pipeline.training.optimizers import (
    KERAS_LEARNING_RATES,
    Optimizer,
    cosine,
    keras_optimizer,
    make_rule,
    step_sizes,
)

STEPS = 22_800


def test_the_cosine_is_the_cosine() -> None:
    angles = np.linspace(0, math.pi, 10_001)
    errors = [abs(ours - math.cos(angle)) for ours, angle in zip(cosine(angles), angles, strict=True)]
    assert max(errors) < 1e-14
    assert abs(float(cosine(np.array([4.0]))[0]) - math.cos(3.9)) > 0.01, "another angle must be noticed"


def test_a_constant_schedule_is_the_learning_rate() -> None:
    assert set(step_sizes(Optimizer("sgd", 0.01), 100).tolist()) == {float(np.float32(0.01))}


def test_a_cosine_schedule_falls_from_the_learning_rate_to_nearly_0() -> None:
    sizes = step_sizes(Optimizer("rmsprop", 0.001, "cosine"), STEPS)
    assert sizes.dtype == np.float32
    assert sizes[0] == np.float32(0.001)
    assert sizes[STEPS // 2] == pytest.approx(0.0005, rel=1e-6)
    assert 0 <= sizes[-1] < 1e-8
    assert (np.diff(sizes) <= 0).all()


def test_adams_alpha_is_its_formula() -> None:
    sizes = step_sizes(keras_optimizer("adam"), STEPS)
    for step in (1, 2, 10, 1000, STEPS):
        alpha = 0.001 * math.sqrt(1 - 0.999**step) / (1 - 0.9**step)
        assert sizes[step - 1] == pytest.approx(alpha, rel=2e-5), step


def by_hand(name: str, gradients: list[float], rate: float) -> float:
    """Return where a weight of 0 goes, by the textbook, in float64."""
    weight = momentum = square = 0.0
    for step, gradient in enumerate(gradients, 1):
        if name == "sgd":
            weight -= rate * gradient
        elif name == "rmsprop":
            square = 0.9 * square + 0.1 * gradient**2
            weight -= rate * gradient / math.sqrt(square + 1e-7)
        else:
            momentum = 0.9 * momentum + 0.1 * gradient
            square = 0.999 * square + 0.001 * gradient**2
            corrected = momentum / (1 - 0.9**step), square / (1 - 0.999**step)
            weight -= rate * corrected[0] / (math.sqrt(corrected[1]) + 1e-7)
    return weight


@pytest.mark.parametrize("name", KERAS_LEARNING_RATES)
def test_a_rule_is_the_textbooks(name: str) -> None:
    gradients = [0.5, -0.25, 1.0, 0.125, -2.0]
    optimizer = keras_optimizer(name)
    rule, weights = make_rule(name, 1), np.zeros(1, np.float32)
    for gradient, size in zip(gradients, step_sizes(optimizer, len(gradients)), strict=True):
        rule.update(weights, np.array([gradient], np.float32), np.array(size))
    assert weights[0] == pytest.approx(by_hand(name, gradients, optimizer.learning_rate), rel=1e-4)
    others = [other for other in KERAS_LEARNING_RATES if other != name]
    for other in others:
        assert weights[0] != pytest.approx(by_hand(other, gradients, optimizer.learning_rate), rel=0.1)


@pytest.mark.parametrize("name", KERAS_LEARNING_RATES)
def test_a_weight_without_gradient_stays(name: str) -> None:
    weights = np.array([1.5, 1.5], np.float32)
    make_rule(name, 2).update(weights, np.array([0, 1], np.float32), np.array(0.01, np.float32))
    assert weights[0] == 1.5
    assert weights[1] < 1.5
