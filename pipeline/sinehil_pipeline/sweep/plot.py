"""How many seeds come how far: each seed a dot, on its error and on the share of seeds that are at most there."""

import math
from collections.abc import Sequence
from typing import Any

from sinehil_pipeline.config import Recipe
from sinehil_pipeline.data import target_of
from sinehil_pipeline.plot_style import (
    BLACK,
    BLUE,
    GREY,
    ORANGE,
    TALL_IN,
    VERMILION,
    png,
    style,
)
from sinehil_pipeline.sweep.result import Outcome, SeedResult
from sinehil_pipeline.sweep.statistics import Statistics
from sinehil_pipeline.sweep.text import percent, title, words
from sinehil_pipeline.worker import Channel

LOOKS = {
    Outcome.LEARNT: (BLUE, "o"),
    Outcome.ABOVE_GATE: (ORANGE, "s"),
    Outcome.NEVER_LEARNT: (VERMILION, "^"),
}
MANTISSAS = (1, 2, 5)


def draw_sweep(_: Channel, recipe: Recipe, results: Sequence[SeedResult], statistics: Statistics) -> bytes:
    """Return the PNG."""
    from matplotlib.figure import Figure

    target = target_of(recipe)
    with style():
        figure = Figure(figsize=TALL_IN)
        upper, lower = figure.subplots(
            2, 1, gridspec_kw={"hspace": 0.34, "left": 0.09, "right": 0.96, "top": 0.91, "bottom": 0.07}
        )
        figure.suptitle(title(recipe, len(results)), fontsize=12)
        _panel(upper, recipe, results, "test_mse")
        upper.set_xlabel("test mse of the float model")
        _panel(lower, recipe, results, "int8_test_mse" if target is None else "int8_max_abs_error")
        lower.set_xlabel(
            "test mse as int8" if target is None else f"largest |y - {target.label}| as int8, over every x"
        )
        _gate_line(upper, recipe)
        _legend(upper, statistics)
        return png(figure)


def _panel(axes: Any, recipe: Recipe, results: Sequence[SeedResult], measure: str) -> None:
    """Draw every seed that has the measure; the others are still counted in the share."""
    known = [(getattr(item, measure), item) for item in results if getattr(item, measure) is not None]
    known.sort(key=lambda pair: (pair[0], pair[1].seed))
    points = [(value, 100 * number / len(results), item) for number, (value, item) in enumerate(known, 1)]
    for outcome, (colour, marker) in LOOKS.items():
        mine = [(x, y) for x, y, item in points if item.outcome(recipe.gate) is outcome]
        if mine:
            axes.scatter(*zip(*mine, strict=True), 22, colour, marker=marker, linewidths=0, alpha=0.8)
    _mark_own(axes, [(x, y) for x, y, item in points if item.seed == recipe.seed], recipe.seed)
    _scale(axes, [x for x, _, _ in points])
    axes.set_ylim(0, 104)
    axes.set_yticks([0, 25, 50, 75, 100])
    axes.set_ylabel("seeds at most there, %")


def _mark_own(axes: Any, points: Sequence[tuple[float, float]], seed: int) -> None:
    for point in points:
        axes.scatter(*point, 90, marker="o", facecolors="none", edgecolors=BLACK, linewidths=1.6, zorder=4)
        axes.annotate(
            f"seed {seed}",
            point,
            (16, -22),
            textcoords="offset points",
            arrowprops={"arrowstyle": "-", "color": BLACK, "shrinkB": 5},
            fontweight="bold",
        )


def _scale(axes: Any, values: Sequence[float]) -> None:
    """Make x logarithmic, with ticks at 1, 2 and 5, where all values allow it."""
    if not values or min(values) <= 0:
        return
    low, high = min(values) / 1.15, max(values) * 1.15
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [float(f"{m}e{decade}") for decade in decades for m in MANTISSAS]
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    shown = [tick for tick in ticks if low <= tick <= high]
    axes.set_xticks(shown, [f"{tick:g}" for tick in shown])
    axes.set_xticks([], minor=True)


def _gate_line(axes: Any, recipe: Recipe) -> None:
    axes.axvline(recipe.gate.max_val_mse, color=GREY, linewidth=1.2, linestyle="--", zorder=1)


def _legend(axes: Any, statistics: Statistics) -> None:
    from matplotlib.lines import Line2D

    handles = []
    for outcome, (colour, marker) in LOOKS.items():
        share = statistics.outcomes[outcome]
        handles.append(
            Line2D(
                [],
                [],
                color=colour,
                marker=marker,
                linestyle="none",
                label=f"{words(outcome)}: {share.count}, {percent(share)}",
            )
        )
    handles.append(
        Line2D([], [], color=GREY, linestyle="--", label="the gate, which looks at the validation mse")
    )
    axes.legend(handles=handles, loc="lower right")
