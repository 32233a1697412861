"""The function or samples that a run's plots show, with name, range of x and axis labels."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from sinehil.model.arrays import Float32s, Float64s
from sinehil.model.targets import Target
from sinehil_pipeline.config import Recipe
from sinehil_pipeline.data.samples import Split, target_of, x_range
from sinehil_pipeline.page.plot_style import BLACK, radians_axis, x_axis
from sinehil_pipeline.training.curves import target_y

Floats = Float32s | Float64s


@dataclass(frozen=True)
class PlotSubject:
    """What is to be learned: a function where it is known, else just the range of x."""

    target: Target | None
    low: float
    high: float

    @property
    def name(self) -> str:
        """What to call the function."""
        return "the samples" if self.target is None else self.target.label

    @property
    def learned(self) -> str:
        """What to say that the model learns."""
        return "the samples of a file" if self.target is None else self.target.label

    def exact(self, split: Split) -> Float64s:
        """Return what errors are counted from: the function, else the samples themselves, shape [n] float64."""
        return split.y.astype(np.float64) if self.target is None else target_y(self.target, split.x)

    @property
    def reference(self) -> str:
        """What to call that from which an int8 model's distances are counted (``curves.Curves.reference``)."""
        return "the float model" if self.target is None else self.target.label

    def draw(self, axes: Any) -> None:
        """Draw the function."""
        if self.target is not None:
            x = np.linspace(self.low, self.high, 200)
            y = target_y(self.target, x)
            axes.plot(x, y, color=BLACK, linewidth=1.0, linestyle="--", label=self.name)

    def label_axes(self, axes: Any) -> None:
        """Label x: in radians where the function is one of angles."""
        in_radians = self.target is not None and self.target.in_radians
        (radians_axis if in_radians else x_axis)(axes, self.low, self.high)


def plot_subject(recipe: Recipe) -> PlotSubject:
    """Return what the recipe's pictures have in common."""
    return PlotSubject(target_of(recipe), *x_range(recipe))
