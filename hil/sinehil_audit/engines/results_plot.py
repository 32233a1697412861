"""The comparison as a picture: flash against cycles, both on log scales; down and left is better."""

from collections.abc import Sequence
from typing import Any

from sinehil_audit.engines.measure import Figures
from sinehil_pipeline.page.plot_style import BLUE, ORANGE, WIDE_IN, log_ticks, png, style


def draw_engines(figures: Sequence[Figures], ours: Sequence[str], title: str) -> bytes:
    """Return the PNG; engines named in ``ours`` are drawn in another colour and form than the peers."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter

    with style():
        figure = Figure(figsize=WIDE_IN)
        axes = figure.subplots()
        for item in figures:
            _point(axes, item, item.engine in ours)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.margins(0.18)
        for axis, ends in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
            axis.set_major_locator(FixedLocator(log_ticks(*ends)))
            axis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
            axis.set_minor_locator(NullLocator())
        axes.set_xlabel("flash that the engine adds, bytes")
        axes.set_ylabel("cycles per inference, mean of 256 codes")
        axes.set_title(title)
        return png(figure)


def _point(axes: Any, item: Figures, is_ours: bool) -> None:
    colour, marker = (BLUE, "o") if is_ours else (ORANGE, "s")
    axes.scatter([item.flash_bytes], [item.cycles_mean], color=colour, marker=marker, s=60, zorder=3)
    label = f"{item.what}\n{item.cycles_mean:,.0f} cycles, {item.flash_bytes:,} B"
    axes.annotate(
        label, (item.flash_bytes, item.cycles_mean), xytext=(8, 4), textcoords="offset points", fontsize=8
    )
