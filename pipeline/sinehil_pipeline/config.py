"""Dataclasses of a training recipe, every parameter of a run; ``recipes`` reads them from files and checks them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from sinehil.base.manifest import SOURCE_DATA
from sinehil_pipeline.training.gradients import HiddenActivation
from sinehil_pipeline.training.optimizers import Optimizer

Initialisation = Literal["keras", "spread"]
Representative = Literal["evenly", "test"]
Granularity = Literal["per_channel", "per_tensor"]
EndTypes = Literal["float", "int8"]
RefinementStep = Literal["refine"]


@dataclass(frozen=True)
class DataRecipe:
    """What is to be learned: a built-in ``target`` (see ``targets``), or the rows of a CSV file.

    ``csv`` is that file's content, so that a recipe is complete and nobody reads a file twice; ``target`` is then None.
    """

    target: str | None = "sin"
    csv: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class ModelRecipe:
    """A chain of Dense layers: ``hidden`` layers of that many neurons, then one linear neuron."""

    name: str
    hidden: tuple[int, ...]
    epochs: int
    batch_size: int
    activation: HiddenActivation = "relu"
    init: Initialisation = "keras"
    optimizer: Optimizer = field(default_factory=Optimizer)


@dataclass(frozen=True)
class GateRecipe:
    """The quality gate: validation mse after the last epoch, and how many initialisations may be tried."""

    max_val_mse: float
    max_tries: int


@dataclass(frozen=True)
class QuantizationRecipe:
    """How weights share scales (``granularity``) and what type goes in and out (``io``)."""

    granularity: Granularity = "per_channel"
    io: EndTypes = "float"


@dataclass(frozen=True)
class Refine:
    """After training: hill-climbing of the converted file's weights and biases, ``budget`` moves from ``seed``."""

    budget: int
    seed: int = 0
    step: RefinementStep = field(default="refine", init=False)


@dataclass(frozen=True)
class Recipe:
    """One run, complete. ``baseline`` is trained once for comparison; ``final`` is gated and converted.

    ``seed`` makes the samples (or shuffles the rows of a file) and the first initialisation; later tries count on
    from it. ``representative`` says which x calibrate the quantisation: evenly spaced ones, or the test data's.
    The defaults are what every recipe did before it could say so, so that old manifests mean what they meant.
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
    representative: Representative = "evenly"
    data: DataRecipe = DataRecipe()
    quantization: QuantizationRecipe = QuantizationRecipe()
    after: tuple[Refine, ...] = ()

    def as_dict(self) -> Mapping[str, Any]:
        """Return the recipe as JSON-able data, for the manifest; a CSV file is named as it lies beside that."""
        data = {"target": self.data.target} if self.data.csv is None else {"file": SOURCE_DATA}
        return asdict(self) | {"data": data}
