"""Plot a sweep: the cumulative share of seeds over their error, one dot a seed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sinehil.base.worker import Channel
from sinehil_pipeline.config import Recipe
from sinehil_pipeline.data.samples import target_of
from sinehil_pipeline.page.plot_style import (
    BLACK,
    BLUE,
    GREY,
    ORANGE,
    TALL_IN,
    VERMILION,
    log_ticks,
    png,
    style,
)
from sinehil_pipeline.sweep.seeds import SeedOutcome, SeedResult
from sinehil_pipeline.sweep.statistics import Statistics
from sinehil_pipeline.sweep.sweep_text import outcome_text, percent, title

OUTCOME_STYLES = {
    SeedOutcome.LEARNT: (BLUE, "o"),
    SeedOutcome.ABOVE_GATE: (ORANGE, "s"),
    SeedOutcome.NEVER_LEARNT: (VERMILION, "^"),
}
FAR = 30.0  # a line that many times off would press the seeds together


@dataclass(frozen=True)
class Reference:
    """An mse to compare with."""

    at: float
    style: str
    label: str


def draw_sweep(_: Channel, recipe: Recipe, results: Sequence[SeedResult], statistics: Statistics) -> bytes:
    """Return the PNG."""
    from matplotlib.figure import Figure

    target = target_of(recipe)
    with style():
        figure = Figure(figsize=TALL_IN)
        upper, lower = figure.subplots(
            2, 1, gridspec_kw={"hspace": 0.36, "left": 0.09, "right": 0.96, "top": 0.8, "bottom": 0.07}
        )
        figure.suptitle(title(recipe, len(results)), fontsize=12)
        lines = mse_lines(recipe, results)
        _panel(upper, recipe, results, "test_mse", lines)
        upper.set_xlabel("test mse of the float model")
        _panel(lower, recipe, results, "int8_test_mse" if target is None else "int8_max_abs_error", ())
        lower.set_xlabel(
            "test mse as int8" if target is None else f"largest |y - {target.label}| as int8, over every x"
        )
        _legend(figure, statistics, lines)
        return png(figure)


def mse_lines(recipe: Recipe, results: Sequence[SeedResult]) -> Sequence[Reference]:
    """Return what an mse can be held against, as far as it is near what the seeds came to."""
    known = [result.test_mse for result in results if result.test_mse is not None]
    if not known:
        return ()
    floor, gate = recipe.noise**2, recipe.gate.max_val_mse
    lines = (
        Reference(floor, ":", f"the noise alone: mse {floor:.3g}"),
        Reference(gate, "--", f"the gate, which looks at the validation mse: {gate:g}"),
    )
    return [line for line in lines if min(known) / FAR < line.at < max(known) * FAR]


def _panel(
    axes: Any, recipe: Recipe, results: Sequence[SeedResult], measure: str, lines: Sequence[Reference]
) -> None:
    """Draw every seed that has the measure; the others are still counted in the share."""
    known = [(getattr(item, measure), item) for item in results if getattr(item, measure) is not None]
    known.sort(key=lambda pair: (pair[0], pair[1].seed))
    points = [(value, 100 * number / len(results), item) for number, (value, item) in enumerate(known, 1)]
    for outcome, (colour, marker) in OUTCOME_STYLES.items():
        mine = [(x, y) for x, y, item in points if item.outcome(recipe.gate) is outcome]
        if mine:
            axes.scatter(*zip(*mine, strict=True), 22, colour, marker=marker, linewidths=0, alpha=0.8)
    _mark_own(axes, [(x, y) for x, y, item in points if item.seed == recipe.seed], recipe.seed)
    for line in lines:
        axes.axvline(line.at, color=GREY, linewidth=1.2, linestyle=line.style, zorder=1)
    _scale(axes, [*(x for x, _, _ in points), *(line.at for line in lines)])
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
    """Make x logarithmic where all values allow it."""
    if not values:
        axes.set_xticks([])
    if not values or min(values) <= 0:
        return
    low, high = min(values) / 1.15, max(values) * 1.15
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    shown = log_ticks(low, high)
    axes.set_xticks(shown, [f"{tick:g}" for tick in shown])
    axes.set_xticks([], minor=True)


def _legend(figure: Any, statistics: Statistics, lines: Sequence[Reference]) -> None:
    """Say what is what above the panels, where no seed can be behind it."""
    from matplotlib.lines import Line2D

    handles = []
    for outcome, share in statistics.outcomes.items():
        if outcome in OUTCOME_STYLES or share.count:
            colour, marker = OUTCOME_STYLES.get(outcome, (BLACK, ""))
            label = f"{outcome_text(outcome)}: {share.count}, {percent(share)}"
            handles.append(Line2D([], [], color=colour, marker=marker, linestyle="none", label=label))
    handles += [Line2D([], [], color=GREY, linestyle=line.style, label=line.label) for line in lines]
    figure.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.525, 0.955), ncols=2, frameon=False)
