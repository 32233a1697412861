"""How weights move: the optimizer's name, its learning rate, and what becomes of that rate over the epochs."""

from dataclasses import dataclass

SCHEDULES = ("constant", "cosine")
# What keras.optimizers.RMSprop(), Adam() and SGD() take when nobody says anything.
KERAS_LEARNING_RATES = {"rmsprop": 0.001, "adam": 0.001, "sgd": 0.01}


@dataclass(frozen=True)
class Optimizer:
    """``name``: rmsprop, adam or sgd; ``schedule``: constant, or cosine (down to zero at the last step)."""

    name: str = "rmsprop"
    learning_rate: float = 0.001
    schedule: str = "constant"
