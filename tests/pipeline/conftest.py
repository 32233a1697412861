"""One full training for the whole session, and small recipes for what needs a training of its own."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from sinehil_pipeline.config import BOOK, Recipe
from sinehil_pipeline.run import TrainingSummary, train


@dataclass
class Recorder:
    """A Progress that remembers."""

    epochs: list[tuple[str, int, int, float]] = field(default_factory=list)
    stages: list[str] = field(default_factory=list)

    def epoch(self, model: str, epoch: int, epochs: int, val_mse: float) -> None:
        self.epochs.append((model, epoch, epochs, val_mse))

    def stage(self, text: str) -> None:
        self.stages.append(text)


@dataclass(frozen=True)
class Run:
    folder: Path
    summary: TrainingSummary
    progress: Recorder


@pytest.fixture(scope="session")
def book_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The book's recipe, in full, by the portable trainer."""
    folder, progress = tmp_path_factory.mktemp("book"), Recorder()
    return Run(folder, train(BOOK, folder, "portable", progress), progress)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture(scope="session")
def short_recipe() -> Callable[..., Recipe]:
    """The book's recipe with few epochs; by default every try passes the gate."""

    def make(epochs: int = 3, max_val_mse: float = 10.0, **changes: object) -> Recipe:
        recipe = replace(
            BOOK,
            baseline=replace(BOOK.baseline, epochs=epochs),
            final=replace(BOOK.final, epochs=epochs),
            gate=replace(BOOK.gate, max_val_mse=max_val_mse),
        )
        return replace(recipe, **changes)  # type: ignore[arg-type]

    return make
