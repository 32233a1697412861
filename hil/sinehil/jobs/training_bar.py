"""Show the progress of trainings as one bar."""

from sinehil.base.console import Stage


class TrainingBar:
    """Shows ``models`` trainings, which may run side by side, as one bar."""

    def __init__(self, stage: Stage, models: int) -> None:
        self._stage, self._models = stage, models
        self._done: dict[str, float] = {}

    def epoch(self, model: str, epoch: int, epochs: int, val_mse: float) -> None:
        """Show one finished epoch."""
        self._done[model] = epoch / epochs
        fraction = sum(self._done.values()) / self._models
        self._stage.update(f"{model} epoch {epoch}/{epochs} val_mse {val_mse:.4f}", fraction)

    def stage(self, text: str, fraction: float | None = None) -> None:
        """Show what is going on besides training, and how far it is where that is known."""
        self._stage.update(text, fraction)
