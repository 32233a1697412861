"""Write the comparison of engines as tables and as a plot, beside what others published of the same net.

Published figures are shown as theirs, not as measured here. Source: the data behind "MicroFlow: An Efficient
Rust-Based Inference Engine for TinyML" (arXiv 2409.19432), in the repository matteocarnelos/microflow-rs:
analysis/memory/sine.ipynb (commit aa4bc13) for sizes in kB of whole firmwares;
analysis/performance/data/sine-nrf52840-*.csv (commit ffc9b49), medians of 100 inferences each.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sinehil_audit.engines.engine_figures import EngineFigures
from sinehil_pipeline.page.plot_style import BLUE, ORANGE, WIDE_IN, log_ticks, png, style

SOURCE = "arXiv 2409.19432, data in github.com/matteocarnelos/microflow-rs/tree/main/analysis"


@dataclass(frozen=True)
class Published:
    """``time_us`` is None where none was published; sizes are those of a whole firmware."""

    engine: str
    board: str
    flash_bytes: int
    ram_bytes: int
    time_us: float | None


PUBLISHED = (
    Published("MicroFlow", "ATmega328", 13_619, 1_706, None),
    Published("MicroFlow", "nRF52840, 64 MHz Cortex-M4F", 34_292, 5_296, 188.5),
    Published("TFLM", "nRF52840, 64 MHz Cortex-M4F", 116_352, 45_728, 2_596.0),
)


HEADER = ("engine", "cycles mean", "worst", "flash B", "RAM B")
PUBLISHED_HEADER = ("engine", "board", "microseconds", "flash B", "RAM B")
Row = tuple[str, ...]


def markdown(figures: Sequence[EngineFigures]) -> str:
    """Return both tables: measured here, and published by others."""
    oracles = tuple(figures[0].equal)
    measured = [(*HEADER, *(f"= {name}" for name in oracles)), *map(_measured, figures)]
    published = [PUBLISHED_HEADER, *map(_published, PUBLISHED)]
    return f"{table(measured)}\n\nPublished, not measured here ({SOURCE}):\n\n{table(published)}\n"


def _measured(item: EngineFigures) -> Row:
    equal = tuple(f"{count} of 256" for count in item.equal.values())
    numbers = (
        f"{item.cycles_mean:,.0f}",
        f"{item.cycles_max:,}",
        f"{item.flash_bytes:,}",
        f"{item.ram_bytes:,}",
    )
    return (item.what, *numbers, *equal)


def _published(item: Published) -> Row:
    time_us = "not published" if item.time_us is None else f"{item.time_us:,.1f}"
    return (item.engine, item.board, time_us, f"{item.flash_bytes:,}", f"{item.ram_bytes:,}")


def table(rows: Sequence[Row]) -> str:
    """Return a Markdown table with columns of even width, so that it is a table on a terminal too."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    numeric = [
        all(row[at][:1].isdigit() or row[at][:1] == "-" for row in rows[1:]) for at in range(len(widths))
    ]
    rule = [
        f"{'-' * (width - 1)}:" if right else "-" * width
        for width, right in zip(widths, numeric, strict=True)
    ]
    lines = [rows[0], tuple(rule), *rows[1:]]
    return "\n".join(f"| {' | '.join(_cells(line, widths, numeric))} |" for line in lines)


def _cells(row: Row, widths: Sequence[int], numeric: Sequence[bool]) -> list[str]:
    cells = zip(row, widths, numeric, strict=True)
    return [cell.rjust(width) if right else cell.ljust(width) for cell, width, right in cells]


def draw_engines(figures: Sequence[EngineFigures], ours: Sequence[str], title: str) -> bytes:
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


def _point(axes: Any, item: EngineFigures, is_ours: bool) -> None:
    colour, marker = (BLUE, "o") if is_ours else (ORANGE, "s")
    axes.scatter([item.flash_bytes], [item.cycles_mean], color=colour, marker=marker, s=60, zorder=3)
    label = f"{item.what}\n{item.cycles_mean:,.0f} cycles, {item.flash_bytes:,} B"
    axes.annotate(
        label, (item.flash_bytes, item.cycles_mean), xytext=(8, 4), textcoords="offset points", fontsize=8
    )
