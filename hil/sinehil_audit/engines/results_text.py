"""The comparison as text: for the terminal and, the same, as Markdown for the docs."""

from collections.abc import Sequence

from sinehil_audit.engines.measure import Figures
from sinehil_audit.engines.published import PUBLISHED, SOURCE, Published

HEADER = ("engine", "cycles mean", "worst", "flash B", "RAM B")
PUBLISHED_HEADER = ("engine", "board", "microseconds", "flash B", "RAM B")
Row = tuple[str, ...]


def markdown(figures: Sequence[Figures]) -> str:
    """Return both tables: measured here, and published by others."""
    oracles = tuple(figures[0].equal)
    measured = [(*HEADER, *(f"= {name}" for name in oracles)), *map(_measured, figures)]
    published = [PUBLISHED_HEADER, *map(_published, PUBLISHED)]
    return f"{table(measured)}\n\nPublished, not measured here ({SOURCE}):\n\n{table(published)}\n"


def _measured(item: Figures) -> Row:
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
