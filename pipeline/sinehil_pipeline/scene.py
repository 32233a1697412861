"""What the pictures of one run have in common: the function behind the samples, and the range of x."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sinehil_pipeline.config import Recipe
from sinehil_pipeline.data import Float32s, Split, target_of, x_range
from sinehil_pipeline.plot_style import BLACK, radians_axis, x_axis
from sinehil_pipeline.targets import Target

Floats = Float32s | NDArray[np.float64]


@dataclass(frozen=True)
class Scene:
    """What is to be learned: a function where it is known, else just the range of x."""

    target: Target | None
    low: float
    high: float

    @property
    def name(self) -> str:
        """What to call the function."""
        return "the samples" if self.target is None else self.target.label

    def exact(self, split: Split) -> NDArray[np.float64]:
        """Return what errors are counted from: the function, else the samples themselves, shape [n] float64."""
        return split.y.astype(np.float64) if self.target is None else curve(self.target, split.x)

    def draw(self, axes: Any) -> None:
        """Draw the function."""
        if self.target is not None:
            x = np.linspace(self.low, self.high, 200)
            y = curve(self.target, x)
            axes.plot(x, y, color=BLACK, linewidth=1.0, linestyle="--", label=self.name)

    def label_axes(self, axes: Any) -> None:
        """Label x: in radians where the function is one of angles."""
        in_radians = self.target is not None and math.fmod(self.high, math.pi) == 0
        (radians_axis if in_radians else x_axis)(axes, self.low, self.high)


def scene_of(recipe: Recipe) -> Scene:
    """Return what the recipe's pictures have in common."""
    return Scene(target_of(recipe), *x_range(recipe))


def curve(target: Target, x: Floats) -> NDArray[np.float64]:
    """Return the target in float64, where CPUs agree on all that a picture shows; in float32 they do not."""
    return target.function(x.astype(np.float64))
