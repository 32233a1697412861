"""One figure of a page: caption, legend, and the same picture drawn for a wide and for a narrow screen."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from sinehil.model.arrays import Float64s
from sinehil.report import svg
from sinehil.report.svg import PlotArea

HUGE = 1e9
NARROW = 360, 270
FULL_WIDTH, HALF_WIDTH = 1160, 570

Draw = Callable[[int, int, str], Markup]


@dataclass(frozen=True)
class Legend:
    """A meaning, and its mark inside a box of 28 x 14."""

    words: str
    mark: Markup


@dataclass(frozen=True)
class Plot:
    """One figure of the page: the same picture twice, of which the style sheet shows one."""

    title: str
    note: str
    legend: tuple[Legend, ...]
    wide: Markup
    narrow: Markup
    full_width: bool = False


def plot(
    title: str, note: str, legend: list[Legend], draw: Draw, name: str, height: int, full: bool = False
) -> Plot:
    """Let ``draw`` (width, height, identifier) make both pictures."""
    width = FULL_WIDTH if full else HALF_WIDTH
    wide, narrow = draw(width, height, f"{name}-w"), draw(*NARROW, f"{name}-n")
    return Plot(title, note, tuple(legend), wide, narrow, full)


def line_key(css: str, words: str) -> Legend:
    """Return the legend of a curve."""
    return Legend(words, Markup('<path class="{}" d="M2 7h24"/>').format(css))


def dot_key(css: str, words: str, width: int = 6) -> Legend:
    """Return the legend of ``svg.dots`` that are drawn ``width`` wide."""
    return Legend(words, Markup('<path class="dots {}" stroke-width="{}" d="M14 7h0"/>').format(css, width))


def band_key(css: str, words: str) -> Legend:
    """Return the legend of a filled area."""
    return Legend(words, Markup('<rect class="{}" width="28" height="14"/>').format(css))


def cross_key(css: str, words: str) -> Legend:
    """Return the legend of ``svg.crosses``."""
    return Legend(words, Markup('<path class="{}" d="M10 3l8 8M10 11l8-8"/>').format(css))


def plus_key(css: str, words: str) -> Legend:
    """Return the legend of ``svg.pluses``."""
    return Legend(words, Markup('<path class="{}" d="M9.5 7h9M14 2.5v9"/>').format(css))


def zero_line(frame: PlotArea) -> Markup:
    """Return the line y = 0."""
    y = float(frame.py(np.array([0.0]))[0])
    return svg.line("zero", svg.LEFT, y, frame.width - svg.RIGHT, y)


def half_step_band(frame: PlotArea, scale: float) -> Markup:
    """Return the area within half an output step of zero."""
    top, bottom = frame.py(np.array([scale / 2, -scale / 2]))
    return svg.rectangle("band", svg.LEFT, top, frame.width - svg.LEFT - svg.RIGHT, bottom - top)


def span(values: Float64s, low: float, high: float, limit: float = HUGE) -> tuple[float, float]:
    """Return what an axis must show: ``low`` to ``high``, and all ``values`` up to a ``limit``, with a margin."""
    low, high = min(low, float(values.min(initial=low))), max(high, float(values.max(initial=high)))
    low, high = max(low, -limit), min(high, limit)
    margin = 0.06 * (high - low) or 0.5 * abs(high) or 1.0
    return low - margin, high + margin
