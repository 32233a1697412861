"""Who notices, as a picture: for each kernel a panel, for each kind of mutant a row, for each check a mark."""

from collections.abc import Mapping, Sequence
from typing import Any

from sinehil_pipeline.page.plot_style import BLUE, GREEN, GREY, ORANGE, VERMILION, png, style

MARKS = {
    "exhaustive": (BLUE, "o", "verify, exhaustive"),
    "test_set": (GREEN, "D", "verify, 200 test samples"),
    "codes": (GREY, "^", "256 codes within 0.05"),
    "twenty": (ORANGE, "s", "20 points within 0.15"),
    "four": (VERMILION, "v", "4 points within 0.05"),
}
WIDTH_IN, ROW_IN, ROOM_IN = 10.0, 0.3, 1.0


def draw_mutants(document: Mapping[str, Any], title: str) -> bytes:
    """Return the PNG of the command's document."""
    from matplotlib.figure import Figure

    kernels = document["kernels"]
    rows = [_rows(kernel) for kernel in kernels]
    heights = [len(found) * ROW_IN + ROOM_IN for found in rows]
    with style():
        figure = Figure(figsize=(WIDTH_IN, sum(heights) + 0.3), layout="constrained")
        panels = figure.subplots(len(kernels), 1, height_ratios=heights, squeeze=False)[:, 0]
        for axes, kernel, found in zip(panels, kernels, rows, strict=True):
            _panel(axes, f"{title}: --optimize {kernel['engine']}", found)
        panels[-1].set_xlabel(
            "noticed, % of the mutants with a wrong output; the identity is forged to look right"
        )
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(
            handles[::-1],
            labels[::-1],
            loc="outside upper center",
            ncols=len(MARKS),
            fontsize=9,
            frameon=False,
        )
        return png(figure)


def _rows(kernel: Mapping[str, Any]) -> list[tuple[str, Mapping[str, int]]]:
    kinds = [(name, counts) for name, counts in kernel["kinds"].items() if counts["visible"]]
    return [*kinds, ("all", kernel["all"])]


def _panel(axes: Any, title: str, rows: Sequence[tuple[str, Mapping[str, int]]]) -> None:
    for name, (colour, marker, label) in reversed(MARKS.items()):
        x = [100 * counts[name] / max(1, counts["visible"]) for _, counts in rows]
        axes.scatter(
            x, range(len(rows)), color=colour, marker=marker, s=46, label=label, zorder=3, clip_on=False
        )
    axes.set_yticks(range(len(rows)))
    axes.set_yticklabels([f"{name}  ({counts['visible']:,})" for name, counts in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(0, 100)
    axes.set_title(title, loc="left")
