"""What is trained: every number of a run in one place, as plain data."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from sinehil_pipeline.optimizers import Optimizer


@dataclass(frozen=True)
class ModelRecipe:
    """A chain of Dense layers: ``hidden`` layers of that many neurons, then one linear neuron.

    ``activation`` is one of ``gradients.ACTIVATIONS``, ``init`` one of ``initialisation.INITS``.
    """

    name: str
    hidden: tuple[int, ...]
    epochs: int
    batch_size: int
    activation: str = "relu"
    init: str = "keras"
    optimizer: Optimizer = field(default_factory=Optimizer)


@dataclass(frozen=True)
class GateRecipe:
    """The quality gate: validation mse after the last epoch, and how many initialisations may be tried."""

    max_val_mse: float
    max_tries: int


@dataclass(frozen=True)
class Recipe:
    """One run, complete. ``baseline`` is trained once for comparison; ``final`` is gated and converted.

    ``seed`` makes the samples and the first initialisation; later tries count on from it.
    """

    name: str
    samples: int
    seed: int
    noise: float
    train_fraction: float
    validation_fraction: float
    baseline: ModelRecipe
    final: ModelRecipe
    gate: GateRecipe
    representative_samples: int

    def as_dict(self) -> Mapping[str, Any]:
        """Return the recipe as JSON-able data, for the manifest."""
        return asdict(self)


# TinyML (Warden, Situnayake), chapter 4. The gate and the representative dataset are ours: about one
# initialisation in ten ends useless, and the book's representative dataset (x_test) stops short of 2 pi.
BOOK = Recipe(
    name="book",
    samples=1000,
    seed=137,
    noise=0.1,
    train_fraction=0.6,
    validation_fraction=0.2,
    baseline=ModelRecipe("model_1", hidden=(16,), epochs=1000, batch_size=16),
    final=ModelRecipe("model_2", hidden=(16, 16), epochs=600, batch_size=16),
    gate=GateRecipe(max_val_mse=0.015, max_tries=5),
    representative_samples=500,
)
