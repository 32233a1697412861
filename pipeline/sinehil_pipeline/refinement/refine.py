"""Refine a converted int8 model: minimise its largest error by changing weights and biases.

The model is run by the oracle's exact arithmetic over its 256 input codes; what is minimised is the largest
|y - target(x)| over every x in the target's range, the rounding of x to a code included.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from sinehil.errors import ArtefactError
from sinehil.model.arithmetic import LITERT, dequantize
from sinehil.model.interpreters import LitertOracle
from sinehil.model.targets import TARGETS, Target
from sinehil.model.tflite import QuantizedModel, parse_quantized_model
from sinehil.verify.probes import exhaustive_floats
from sinehil_pipeline.config import Recipe, Refine
from sinehil_pipeline.refinement.annealing import Annealing, Penalty, SearchResult, Snapshot
from sinehil_pipeline.refinement.exact_network import Network
from sinehil_pipeline.refinement.patch import with_layers
from sinehil_pipeline.refinement.target_distance import CODES, error_table, floor_of, worst_error

# Hears of evaluations done, evaluations at most, and the largest error so far.
OnProgress = Callable[[int, int, float], None]


SHORTEST = 0.05  # of the way to the floor; below that, all of the stride is asked for again


@dataclass(frozen=True)
class RefineSettings:
    """How long to search. An evaluation is one changed neuron; a million take one to two seconds.

    The search goes in rounds of at most ``round_evaluations``, each from the best model so far and with a seed of its
    own, until the largest error is at most ``goal`` times the floor. A round ends early when it has taken the error
    ``stride`` of the way to the floor: a goal far below what a model can reach counts too many codes as wrong. For the
    same reason a round that gains nothing is followed by one that asks for half as much (``SHORTEST``).
    """

    evaluations: int = 24_000_000
    round_evaluations: int = 3_000_000
    goal: float = 1.02
    stride: float = 0.4
    seed: int = 0


@dataclass(frozen=True)
class Refined:
    """``model`` is the .tflite; errors are the largest |y - target(x)|; ``floor`` is what its scales allow at best."""

    model: bytes
    max_abs_error: float
    start_error: float
    floor: float
    evaluations: int
    rounds: int


def max_abs_error(model: QuantizedModel, target: Target) -> float:
    """Return the largest |y - target(x)| over all x in the target's range."""
    return worst_error(model, target, LITERT.infer_codes(model, CODES)[:, 0])


def refine(
    data: bytes,
    target: Target,
    settings: RefineSettings | None = None,
    on_progress: OnProgress | None = None,
    name: str = "the model",
) -> Refined:
    """Return the best model found; never worse than the one given, and the same bytes for the same arguments.

    ArtefactError if ``data`` is not a supported model with one input and one output.
    """
    settings, start = settings or RefineSettings(), _parse(data, name)
    search = _Search(start, target, settings, on_progress)
    while search.wanted:
        search.round()
    best = _with_state(start, search.best.state)
    _prove(best)
    return Refined(
        model=best.data,
        max_abs_error=max_abs_error(best, target),
        start_error=max_abs_error(start, target),
        floor=floor_of(best.input, best.output, target),
        evaluations=search.spent,
        rounds=search.rounds,
    )


class _Search:
    """Rounds of annealing, and the best model so far."""

    def __init__(
        self,
        start: QuantizedModel,
        target: Target,
        settings: RefineSettings,
        on_progress: OnProgress | None,
    ) -> None:
        self.start, self._settings, self._on_progress = start, settings, on_progress
        self._errors = error_table(start.input, start.output, target)
        self._floor = floor_of(start.input, start.output, target)
        self.best = SearchResult(Network(start).snapshot(), max_abs_error(start, target), 0)
        self.spent = self.rounds = 0
        self._stride = settings.stride

    @property
    def wanted(self) -> bool:
        """Whether there is something left to gain and to spend."""
        within = self.best.max_abs_error <= self._settings.goal * self._floor
        return self.spent < self._settings.evaluations and not within

    def round(self) -> None:
        """Anneal once, from the best model."""
        settings, output = self._settings, self.start.output
        next_error = self.best.max_abs_error + self._stride * (self._floor - self.best.max_abs_error)
        goal = max(settings.goal * self._floor, next_error)
        penalty = Penalty(self._errors, goal, float(output.scale), output.zero_point)
        network = Network(_with_state(self.start, self.best.state))
        budget = min(settings.round_evaluations, settings.evaluations - self.spent)
        found = Annealing(network, penalty, settings.seed + self.rounds, budget).run(self._report)
        self.spent += found.evaluations
        self.rounds += 1
        gained = found.max_abs_error < self.best.max_abs_error
        shorter = self._stride / 2 if self._stride / 2 >= SHORTEST else settings.stride
        self._stride = settings.stride if gained else shorter
        self.best = found if gained else self.best

    def _report(self, evaluations: int, error: float) -> None:
        if self._on_progress is not None:
            least = min(error, self.best.max_abs_error)
            self._on_progress(self.spent + evaluations, self._settings.evaluations, least)


def _parse(data: bytes, name: str) -> QuantizedModel:
    model = parse_quantized_model(data, name)
    if (model.inputs, model.outputs) != (1, 1):
        raise ArtefactError(
            f"{name} has {model.inputs} inputs and {model.outputs} outputs; only models of one x and one y are refined",
            "leave out the step `refine`",
        )
    if len(model.dense_layers) < len(model.layers):
        raise ArtefactError(
            f"{name} has TANH or LOGISTIC layers; only models of fully connected layers are refined",
            "leave out the step `refine`",
        )
    return model


def _with_state(start: QuantizedModel, state: Snapshot) -> QuantizedModel:
    pairs = zip(start.dense_layers, state, strict=True)
    layers = [replace(layer, weights=weights, bias=bias) for layer, (weights, bias) in pairs]
    return with_layers(start, layers)


def _prove(model: QuantizedModel) -> None:
    """Compare the interpreter with what was predicted, on everything that decides y for every float32."""
    x = exhaustive_floats(model.input)
    predicted = dequantize(
        LITERT.infer_codes(model, LITERT.quantize_input(x, model.input))[:, 0], model.output
    )
    if not np.array_equal(LitertOracle(model).predict(x), predicted):
        raise ArtefactError(
            f"{model.name}: the interpreter does not compute what was predicted for the refined model",
            "report this with the model; leave out the step `refine` meanwhile",
        )


def run_steps(recipe: Recipe, quantized: bytes, on_progress: OnProgress) -> bytes:
    """Return the .tflite after each of the recipe's steps."""
    for step in recipe.after:
        quantized = _refined(step, recipe, quantized, on_progress)
    return quantized


def _refined(step: Refine, recipe: Recipe, quantized: bytes, on_progress: OnProgress) -> bytes:
    assert recipe.data.target is not None, "recipes.build refuses steps with data.file"
    settings = RefineSettings(evaluations=step.budget, seed=step.seed)
    return refine(quantized, TARGETS[recipe.data.target], settings, on_progress, "the quantised model").model
