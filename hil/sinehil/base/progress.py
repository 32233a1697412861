"""What a run tells while it is under way."""

from typing import Protocol


class Progress(Protocol):
    """Hears of a run; called from the thread that called ``train``."""

    def epoch(self, model: str, epoch: int, epochs: int, val_mse: float) -> None:
        """``epoch`` of ``epochs`` of a model is done. Counts from 1 again when the gate asks for another try."""

    def stage(self, text: str, fraction: float | None = None) -> None:
        """Say what is going on besides training, and how far it is where that is known."""


class Silence:
    """A Progress that tells nobody."""

    def epoch(self, model: str, epoch: int, epochs: int, val_mse: float) -> None:
        """Ignore it."""

    def stage(self, text: str, fraction: float | None = None) -> None:
        """Ignore it."""
