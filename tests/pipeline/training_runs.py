"""What the tests of the pipeline share: a Progress that remembers, and a finished run."""

from dataclasses import dataclass, field
from pathlib import Path

from sinehil_pipeline.run import TrainingSummary


@dataclass
class Recorder:
    """A Progress that remembers."""

    epochs: list[tuple[str, int, int, float]] = field(default_factory=list)
    stages: list[str] = field(default_factory=list)
    fractions: list[float] = field(default_factory=list)

    def epoch(self, model: str, epoch: int, epochs: int, val_mse: float) -> None:
        self.epochs.append((model, epoch, epochs, val_mse))

    def stage(self, text: str, fraction: float | None = None) -> None:
        self.stages.append(text)
        self.fractions += [] if fraction is None else [fraction]


@dataclass(frozen=True)
class Run:
    folder: Path
    summary: TrainingSummary
    progress: Recorder
