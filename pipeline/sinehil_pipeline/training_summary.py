"""Summarise a finished training: numbers for ``--json``, lines for the terminal."""

import hashlib
from dataclasses import dataclass

from sinehil.base.manifest import TrainingTry
from sinehil.model.targets import TARGETS
from sinehil_pipeline.config import GateRecipe, Recipe
from sinehil_pipeline.conversion.evaluation import Evaluation, Metrics
from sinehil_pipeline.refinement.target_distance import EveryX
from sinehil_pipeline.training.jobs import Trained


@dataclass(frozen=True)
class ModelForm:
    """One form of one model on the test set; ``bytes`` and ``sha256`` are of its file."""

    model: str
    form: str
    metrics: Metrics
    bytes: int
    sha256: str


@dataclass(frozen=True)
class TrainingSummary:
    """One run; ``target`` and ``every_x``, which is the int8 model's, are None where the samples came from a file.

    ``seconds`` by stage overlap where stages run side by side; ``total`` is the wall clock's.
    """

    target: str | None
    trainer: str
    init_seed: int
    tries: tuple[TrainingTry, ...]
    gate: GateRecipe
    baseline: ModelForm
    keras: ModelForm
    lite: ModelForm
    quantized: ModelForm
    every_x: EveryX | None
    c_array_bytes: int
    model_summaries: dict[str, str]
    seconds: dict[str, float]

    def headline(self) -> str:
        """Return what fits behind the stage's time."""
        again = "" if len(self.tries) == 1 else f" in try {len(self.tries)}"
        return (
            f"{self.keras.model} from seed {self.init_seed}{again}: val mse {self.tries[-1].val_mse:.4f}, "
            f"test mse {self.quantized.metrics.mse:.4f} as int8"
        )

    def lines(self) -> list[str]:
        """Return all lines for the terminal, without the models' tables."""
        return [
            *self._try_lines(),
            "",
            *self._metric_lines(),
            *self._every_x_lines(),
            "",
            *self.size_lines(),
            "",
            *self._hash_lines(),
        ]

    def _try_lines(self) -> list[str]:
        return [
            f"try {number}: {self.keras.model} from seed {item.seed} ends at val mse {item.val_mse:.4f}: "
            + ("accepted" if item.accepted else f"above the gate of {self.gate.max_val_mse}, trained again")
            for number, item in enumerate(self.tries, 1)
        ]

    def _metric_lines(self) -> list[str]:
        heading = "" if self.target is None else f"from {TARGETS[self.target].plain}"
        lines = [f"{'on the test set':<32}{'mse':>9}{'mae':>9}{'max error':>11}{heading:>15}".rstrip()]
        for item in (self.baseline, self.keras, self.lite, self.quantized):
            found = item.metrics
            exact = found.max_abs_error_to_target
            lines.append(
                f"  {item.model + ', ' + item.form:<30}{found.mse:>9.5f}{found.mae:>9.5f}"
                f"{found.max_abs_error:>11.4f}" + ("" if exact is None else f"{exact:>15.4f}")
            )
        return lines

    def _every_x_lines(self) -> list[str]:
        if self.every_x is None or self.target is None:
            return []
        target, found = TARGETS[self.target], self.every_x
        return [
            "",
            f"int8 over every x in {target.range_text}: at most {found.max_abs_error:.4f} from {target.plain}; "
            f"its scales allow {found.floor:.4f}",
        ]

    def size_lines(self) -> list[str]:
        """Return the book's size comparison, with the truth where it contradicts the book."""
        difference = self.lite.bytes - self.quantized.bytes
        lines = [
            f"float model is {self.lite.bytes} bytes",
            f"quantized model is {self.quantized.bytes} bytes",
            f"difference is {difference} bytes",
        ]
        return [*lines, _why_larger(-difference)] if difference < 0 else lines

    def _hash_lines(self) -> list[str]:
        return [f"sha256 {item.sha256}  {item.form}" for item in (self.lite, self.quantized)]


def _why_larger(bytes_more: int) -> str:
    return (
        f"so quantizing made this file {bytes_more} bytes larger, not smaller as in the book: today's converter keeps "
        "a scale and zero point for each neuron and adds quantize and dequantize operators, which outweighs "
        "what the few hundred weights save"
    )


def summary_of(
    recipe: Recipe,
    trainer: str,
    final: Trained,
    results: Evaluation,
    c_array_bytes: int,
    seconds: dict[str, float],
) -> TrainingSummary:
    """Return the summary of a run from its parts."""
    name = recipe.final.name

    def form(model: str, text: str, metrics: Metrics, data: bytes) -> ModelForm:
        return ModelForm(model, text, metrics, len(data), hashlib.sha256(data).hexdigest())

    return TrainingSummary(
        target=recipe.data.target,
        trainer=trainer,
        init_seed=final.seed,
        tries=final.tries,
        gate=recipe.gate,
        baseline=form(recipe.baseline.name, "Keras", results.baseline.metrics, results.baseline.saved),
        keras=form(name, "Keras", results.final.metrics, results.final.saved),
        lite=form(name, "Lite float32", results.float_metrics, results.files.float),
        quantized=form(name, "Lite int8", results.quantized_metrics, results.files.quantized),
        every_x=results.every_x,
        c_array_bytes=c_array_bytes,
        model_summaries={model.name: model.summary for model in (results.baseline, results.final)},
        seconds=seconds,
    )
