"""A plot area with axes as SVG text: pure functions from data coordinates to markup, all text escaped.

Colours and fonts come from the page's style sheet by class name, so that a plot follows light and dark.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from sinehil.base.untrusted_text import visible
from sinehil.model.arrays import Bools, Float64s
from sinehil.model.targets import Target

FEW_CROSSES = 40
LOG_FACTORS = (1,), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 8)
FEWEST_TICKS = 3
MOST_PI_TICKS = 7
LEFT, RIGHT, TOP, BOTTOM = 70, 14, 12, 46  # the left has room for an axis label and "-0.015"


@dataclass(frozen=True)
class Tick:
    """A labelled place on an axis."""

    value: float
    label: str


@dataclass(frozen=True)
class Axis:
    """One direction of a plot, in data units."""

    low: float
    high: float
    label: str
    ticks: tuple[Tick, ...]


@dataclass(frozen=True)
class PlotArea:
    """A picture of ``width`` x ``height`` CSS pixels with the plot area inside its margins."""

    width: int
    height: int
    x: Axis
    y: Axis

    def px(self, x: Float64s) -> Float64s:
        """Map data x to picture x."""
        share = (x - self.x.low) / (self.x.high - self.x.low)
        return LEFT + share * (self.width - LEFT - RIGHT)

    def py(self, y: Float64s) -> Float64s:
        """Map data y to picture y, which grows downwards."""
        share = (y - self.y.low) / (self.y.high - self.y.low)
        return self.height - BOTTOM - share * (self.height - TOP - BOTTOM)

    def shows(self, x: Float64s, y: Float64s) -> Bools:
        """Return which points lie in the plot area."""
        return (x >= self.x.low) & (x <= self.x.high) & (y >= self.y.low) & (y <= self.y.high)


def svg(frame: PlotArea, identifier: str, title: str, description: str, parts: Sequence[Markup]) -> Markup:
    """Return a whole picture: axes, then ``parts`` in order of drawing."""
    return Markup(
        '<svg class="plot" viewBox="0 0 {w} {h}" role="img" aria-labelledby="{id}-t {id}-d">'
        '<title id="{id}-t">{t}</title><desc id="{id}-d">{d}</desc>{body}</svg>'
    ).format(
        w=frame.width,
        h=frame.height,
        id=identifier,
        t=visible(title),
        d=visible(description),
        body=Markup("").join([axes(frame), *parts]),
    )


def axes(frame: PlotArea) -> Markup:
    """Return grid lines, tick labels and axis labels."""
    left, right, top, bottom = LEFT, frame.width - RIGHT, TOP, frame.height - BOTTOM
    parts = []
    for tick, x in zip(frame.x.ticks, frame.px(_values(frame.x)), strict=True):
        parts += [line("grid", x, top, x, bottom), text("tick mid", x, bottom + 17, tick.label)]
    for tick, y in zip(frame.y.ticks, frame.py(_values(frame.y)), strict=True):
        parts += [line("grid", left, y, right, y), text("tick end", left - 7, y + 4, tick.label)]
    parts += [line("axis", left, bottom, right, bottom), line("axis", left, top, left, bottom)]
    parts.append(text("label mid", (left + right) / 2, frame.height - 7, frame.x.label))
    middle = (top + bottom) / 2
    turn = Markup('<text class="label mid" transform="translate(13 {}) rotate(-90)">{}</text>')
    return Markup("").join([*parts, turn.format(_n(middle), frame.y.label)])


def line(css: str, x1: float, y1: float, x2: float, y2: float) -> Markup:
    """Return a straight line in picture coordinates."""
    form = Markup('<line class="{}" x1="{}" y1="{}" x2="{}" y2="{}"/>')
    return form.format(css, _n(x1), _n(y1), _n(x2), _n(y2))


def text(css: str, x: float, y: float, words: str) -> Markup:
    """Return words at a place in picture coordinates."""
    return Markup('<text class="{}" x="{}" y="{}">{}</text>').format(css, _n(x), _n(y), visible(words))


def rectangle(css: str, x: float, y: float, width: float, height: float) -> Markup:
    """Return a filled rectangle in picture coordinates."""
    form = Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>')
    return form.format(css, _n(x), _n(y), _n(max(width, 0)), _n(max(height, 0)))


def curve(frame: PlotArea, css: str, x: Float64s, y: Float64s) -> Markup:
    """Return a line through the points that lie in the plot area; it breaks where one does not."""
    parts: list[str] = []
    previous, pen = "", "M"
    for px, py, inside in zip(frame.px(x), frame.py(y), frame.shows(x, y), strict=True):
        if not inside:
            pen = "M"
            continue
        point = f"{_n(px)} {_n(py)}"
        if point != previous or pen == "M":
            parts.append(f"{pen}{point}")
        previous, pen = point, "L"
    return Markup('<path class="{}" d="{}"/>').format(css, "".join(parts))


def dots(frame: PlotArea, css: str, x: Float64s, y: Float64s, radius: float) -> Markup:
    """Return a disc for each point that lies in the plot area, as one path (round line caps)."""
    keep = frame.shows(x, y)
    places = zip(frame.px(x[keep]), frame.py(y[keep]), strict=True)
    path = "".join(dict.fromkeys(f"M{_n(px)} {_n(py)}h0" for px, py in places))
    form = Markup('<path class="dots {}" stroke-width="{}" d="{}"/>')
    return form.format(css, _n(2 * radius), path)


def crosses(frame: PlotArea, x: Float64s, y: Float64s) -> Markup:
    """Return a cross at each point, pulled to the edge of the plot area where it lies beyond."""
    x, y = np.clip(x, frame.x.low, frame.x.high), np.clip(y, frame.y.low, frame.y.high)
    places = zip(frame.px(x), frame.py(y), strict=True)
    css, r = ("wrong", 4) if len(x) <= FEW_CROSSES else ("wrong many", 2)
    path = "".join(
        dict.fromkeys(
            f"M{_n(px - r)} {_n(py - r)}l{2 * r} {2 * r}M{_n(px - r)} {_n(py + r)}l{2 * r} -{2 * r}"
            for px, py in places
        )
    )
    return Markup('<path class="{}" d="{}"/>').format(css, path)


def pluses(frame: PlotArea, css: str, x: Float64s, y: Float64s, radius: float) -> Markup:
    """Return an upright cross at each point that lies in the plot area, as one path."""
    keep, r, d = frame.shows(x, y), _n(radius), _n(2 * radius)
    places = zip(frame.px(x[keep]), frame.py(y[keep]), strict=True)
    path = "".join(dict.fromkeys(f"M{_n(px - radius)} {_n(py)}h{d}m-{r} -{r}v{d}" for px, py in places))
    return Markup('<path class="{}" d="{}"/>').format(css, path)


def log_axis(low: float, high: float, label: str) -> Axis:
    """Return an axis for the log10 of values from ``low`` to ``high``, both positive, labelled with the values."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    values: list[float] = []
    for factors in LOG_FACTORS:
        values = [factor * 10.0**power for power in powers for factor in factors]
        values = [value for value in values if low <= value <= high]
        if len(values) >= FEWEST_TICKS:
            break
    ticks = tuple(Tick(math.log10(value), f"{value:g}") for value in values)
    return Axis(math.log10(low), math.log10(high), label, ticks)


def x_axis(target: Target | None, low: float, high: float) -> Axis:
    """Return the axis of a target's x, in radians where that is an angle; plain where no target is known."""
    if target is not None and target.in_radians:
        return pi_axis(low, high, "x in radians")
    return nice_axis(low, high, "x")


def pi_axis(low: float, high: float, label: str) -> Axis:
    """Return an axis in radians with ticks at multiples of pi/2, of pi, or plain ones, as would not crowd a phone."""
    for halves in (1, 2):
        step = halves * math.pi / 2
        ticks = range(math.ceil(low / step), math.floor(high / step) + 1)
        if 2 <= len(ticks) <= MOST_PI_TICKS:
            return Axis(low, high, label, tuple(Tick(k * step, _pi_label(k * halves)) for k in ticks))
    return nice_axis(low, high, label)


def nice_axis(low: float, high: float, label: str, whole: bool = False) -> Axis:
    """Return an axis with three to eight round ticks; ``whole`` keeps them at whole numbers."""
    step = _nice_step((high - low) / 7.5)
    step = max(step, 1.0) if whole else step
    ticks = range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    return Axis(low, high, label, tuple(Tick(k * step, _decimal(k * step, decimals)) for k in ticks))


def _nice_step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return power * next(factor for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)


def _decimal(value: float, decimals: int) -> str:
    if abs(value) >= 1e6:
        return f"{value:.0e}"
    return f"{value:.{decimals}f}".replace("-", "\u2212")


def _pi_label(halves: int) -> str:
    if halves == 0:
        return "0"
    sign, size = ("\u2212" if halves < 0 else ""), abs(halves)
    top, bottom = (size // 2, "") if size % 2 == 0 else (size, "/2")
    return f"{sign}{'' if top == 1 else top}\u03c0{bottom}"


def _values(axis: Axis) -> Float64s:
    return np.array([tick.value for tick in axis.ticks], dtype=np.float64)


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
