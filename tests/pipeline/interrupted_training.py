"""A training for tests to interrupt: FOLDER EPOCHS; one line on stdout for each piece of progress."""

import sys
from dataclasses import replace
from pathlib import Path

from sinehil_pipeline.config import GateRecipe
from sinehil_pipeline.recipes import load_recipe
from sinehil_pipeline.run import train

BOOK = load_recipe("book")


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


class Lines:
    def epoch(self, model: str, epoch: int, epochs: int, val_mse: float) -> None:
        say(model, epoch, epochs, val_mse)

    def stage(self, text: str, fraction: float | None = None) -> None:
        say(text, fraction)


recipe = replace(
    BOOK,
    final=replace(BOOK.final, epochs=int(sys.argv[2])),
    gate=GateRecipe(max_val_mse=10.0, max_tries=1),
)
try:
    train(recipe, Path(sys.argv[1]), "portable", Lines())
except KeyboardInterrupt:
    sys.exit(130)
