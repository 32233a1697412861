"""Keras 3's optimizers and schedules in NumPy, with the same bits on every x86-64 machine.

Each rule does Keras' float32 operations in Keras' order, with its defaults. Only +, -, *, / and sqrt are used, which
IEEE 754 fixes to the last bit: powers and cosines, which libraries round as they like, are made of these too.
"""

import math
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

import numpy as np

from sinehil.model.arrays import Float32s, Float64s

OptimizerName = Literal["rmsprop", "adam", "sgd"]
RateSchedule = Literal["constant", "cosine"]
SCHEDULES: tuple[RateSchedule, ...] = get_args(RateSchedule)
# What keras.optimizers.RMSprop(), Adam() and SGD() take by default.
KERAS_LEARNING_RATES: dict[OptimizerName, float] = {"rmsprop": 0.001, "adam": 0.001, "sgd": 0.01}
RHO, BETA_1, BETA_2, EPSILON = 0.9, 0.9, 0.999, 1e-7

COSINE_TERMS = 15


@dataclass(frozen=True)
class Optimizer:
    """Which rule, from which learning rate; ``cosine`` lets the rate fall to 0 over the whole run."""

    name: OptimizerName = "rmsprop"
    learning_rate: float = 0.001
    schedule: RateSchedule = "constant"


class Rule(Protocol):
    """One way to take a step, with the state that it needs, over flat vectors of one length."""

    def update(self, weights: Float32s, gradient: Float32s, step_size: Float32s) -> None:
        """Move ``weights`` in place; ``gradient`` is used up. ``step_size`` has shape []."""


def keras_optimizer(name: OptimizerName, schedule: RateSchedule = "constant") -> Optimizer:
    """Return an optimizer with Keras' own learning rate."""
    return Optimizer(name, KERAS_LEARNING_RATES[name], schedule)


def make_rule(name: OptimizerName, size: int) -> Rule:
    """Return the rule of that name for ``size`` parameters."""
    match name:
        case "rmsprop":
            return _RmsProp(size)
        case "adam":
            return _Adam(size)
        case "sgd":
            return _Sgd()


def step_sizes(optimizer: Optimizer, steps: int) -> Float32s:
    """Return what each of a run's ``steps`` multiplies by, shape [steps]: the rate, for adam its alpha."""
    rates = np.full(steps, optimizer.learning_rate, np.float32)
    if optimizer.schedule == "cosine":
        rates *= _cosine_decay(steps)
    if optimizer.name == "adam":
        rates = rates * np.sqrt(1 - _powers(BETA_2, steps)) / (1 - _powers(BETA_1, steps))
    return rates


def _cosine_decay(steps: int) -> Float32s:
    """Return (1 + cos(pi step / steps)) / 2, in float32 but for the cosine itself, as CosineDecay has it."""
    angle = np.float32(math.pi) * (np.arange(steps, dtype=np.float32) / np.float32(steps))
    return np.float32(0.5) * (1 + cosine(angle.astype(np.float64)).astype(np.float32))


def cosine(angle: Float64s) -> Float64s:
    """Return cos for angles in [0, pi] to 1e-14: its Taylor series, from the last term to the first."""
    square, total = angle * angle, np.ones_like(angle)
    for n in range(2 * COSINE_TERMS, 0, -2):
        total = 1 - square / (n * (n - 1)) * total
    return total


def _powers(beta: float, steps: int) -> Float32s:
    """Return beta, beta^2, ... of a float32 beta, multiplied up in float64 and rounded once each."""
    powers = np.multiply.accumulate(np.full(steps, np.float32(beta), np.float64))
    return powers.astype(np.float32)


def _constants(*values: float) -> list[Float32s]:
    """Return float32 arrays of shape []: NumPy broadcasts them faster than Python's numbers."""
    return [np.array(value, np.float32) for value in values]


def _state(size: int, count: int) -> list[Float32s]:
    return [np.zeros(size, np.float32) for _ in range(count)]


class _RmsProp:
    """v = rho v + (1 - rho) g^2; w -= lr g / sqrt(v + eps)."""

    def __init__(self, size: int) -> None:
        self._velocity, self._work = _state(size, 2)
        self._constants = _constants(RHO, 1 - RHO, EPSILON)

    def update(self, weights: Float32s, gradient: Float32s, step_size: Float32s) -> None:
        velocity, work = self._velocity, self._work
        rho, one_minus_rho, epsilon = self._constants
        np.multiply(gradient, gradient, work)
        np.multiply(work, one_minus_rho, work)
        np.multiply(velocity, rho, velocity)
        np.add(velocity, work, velocity)
        np.add(velocity, epsilon, work)
        np.sqrt(work, work)
        np.multiply(gradient, step_size, gradient)
        np.divide(gradient, work, gradient)
        np.subtract(weights, gradient, weights)


class _Adam:
    """m += (1 - b1) (g - m); v += (1 - b2) (g^2 - v); w -= alpha m / (sqrt(v) + eps)."""

    def __init__(self, size: int) -> None:
        self._momentum, self._velocity, self._work = _state(size, 3)
        self._constants = _constants(1 - BETA_1, 1 - BETA_2, EPSILON)

    def update(self, weights: Float32s, gradient: Float32s, step_size: Float32s) -> None:
        momentum, velocity, work = self._momentum, self._velocity, self._work
        one_minus_beta_1, one_minus_beta_2, epsilon = self._constants
        np.subtract(gradient, momentum, work)
        np.multiply(work, one_minus_beta_1, work)
        np.add(momentum, work, momentum)
        np.multiply(gradient, gradient, work)
        np.subtract(work, velocity, work)
        np.multiply(work, one_minus_beta_2, work)
        np.add(velocity, work, velocity)
        np.sqrt(velocity, work)
        np.add(work, epsilon, work)
        np.multiply(momentum, step_size, gradient)
        np.divide(gradient, work, gradient)
        np.subtract(weights, gradient, weights)


class _Sgd:
    """w -= lr g."""

    def update(self, weights: Float32s, gradient: Float32s, step_size: Float32s) -> None:
        np.multiply(gradient, step_size, gradient)
        np.subtract(weights, gradient, weights)
