"""One full training for the whole session, and small recipes for what needs a training of its own."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from training_runs import Recorder, Run

from sinehil_pipeline.config import Recipe
from sinehil_pipeline.recipes import load_recipe
from sinehil_pipeline.run import train

BOOK = load_recipe("book")


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
