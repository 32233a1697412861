"""``sinehil train``: data, training, conversion, export."""

from dataclasses import asdict, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sinehil.commands import options
from sinehil.console import Console, Stage
from sinehil.manifest import PAGE

if TYPE_CHECKING:
    from sinehil_pipeline.run import TrainingSummary


class Trainer(StrEnum):
    """portable: NumPy, the same bytes on every machine; keras: Model.fit, literally the book."""

    PORTABLE = "portable"
    KERAS = "keras"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("train")(train)


def train(
    trainer: Annotated[
        Trainer,
        typer.Option(help="portable: the same bytes on every machine; keras: Model.fit, as the book has it."),
    ] = Trainer.PORTABLE,
    seed: Annotated[
        int,
        typer.Option(min=0, max=2**32 - 1, help="Seed of samples and initial weights; 137 is the book's."),
    ] = 137,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="The artefact folder to fill.")] = (
        options.DEFAULT_ARTIFACTS
    ),
    as_json: options.AsJson = False,
) -> None:
    """Make the noisy sine, train both models, convert the second to TFLite, export it as C, draw the plots."""
    console = Console(as_json)
    summary = run_training(console, trainer, seed, out)
    for line in summary.lines():
        console.say(line)
    page = out / PAGE
    console.say(f"artefacts: {out}")
    console.say(f"page: {page}")
    console.result({"artifacts": str(out), "page": str(page), **asdict(summary)})


def run_training(console: Console, trainer: Trainer, seed: int, out: Path) -> "TrainingSummary":
    """Train into ``out`` as one stage with a live bar."""
    from sinehil_pipeline.config import BOOK
    from sinehil_pipeline.run import train as run

    with console.stage("train") as stage:
        summary = run(replace(BOOK, seed=seed), out, trainer.value, _Bar(stage))
        stage.note = summary.headline()
    return summary


class _Bar:
    """Draws the pipeline's progress on a stage's bar."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._done: dict[str, float] = {}

    def epoch(self, model: str, epoch: int, epochs: int, val_mse: float) -> None:
        """Show one finished epoch; the bar counts both models."""
        self._done[model] = epoch / epochs
        self._stage.update(
            f"{model} epoch {epoch}/{epochs} val_mse {val_mse:.4f}", sum(self._done.values()) / 2
        )

    def stage(self, text: str) -> None:
        """Show what is going on besides training."""
        self._stage.update(text, None)
