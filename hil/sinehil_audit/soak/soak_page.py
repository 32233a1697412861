"""Build ``soak.html``: a soak's verdict, figures and curves, in one file that loads nothing."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from sinehil import __version__
from sinehil.model.arrays import Float64s
from sinehil.report import svg
from sinehil.report.figure import Plot, line_key, plot, span
from sinehil.report.html_parts import Tile, render
from sinehil.report.svg import PlotArea
from sinehil.verify import Verdict
from sinehil_audit.soak.findings import (
    MOST_GROWTH_BYTES_PER_HOUR,
    MOST_STEP_BYTES,
    MOST_WARM_UP_BYTES,
    NOT_ASKED,
    ROUND_TRIP,
    WORKER,
    Findings,
    Growth,
    Latency,
)
from sinehil_audit.soak.soak_log import Log, Record

BINS = 60
MOST_LISTED = 50
CURVES = (("oracle", "median", 50), ("device", "95th percentile", 95), ("target", "99th percentile", 99))


@dataclass(frozen=True)
class _Curve:
    css: str
    label: str
    x: Float64s
    y: Float64s


def page_html(findings: Findings, log_name: str, notes: list[str]) -> str:
    """Return the page; ``notes`` are what else speaks against a PASS."""
    passed = findings.verdict is Verdict.PASS and not notes
    return render(
        "soak.html.j2",
        "sinehil_audit.soak",
        ("report.css",),
        passed=passed,
        word="PASS" if passed else "FAIL",
        findings=findings,
        minutes=f"{findings.elapsed_s / 60:.1f}",
        against=[*notes, *findings.unfinished, *findings.leaks],
        failures=findings.failures[:MOST_LISTED],
        tiles=_tiles(findings),
        latency_rows=[_latency_row(latency) for latency in findings.latencies],
        process_rows=[_process_row(growth) for growth in findings.growths],
        board_rows=[_board_row(board, findings) for board in findings.boards],
        plots=[*map(latency_plot, findings.latencies), *_process_plots(findings)],
        bound_mb=f"{MOST_GROWTH_BYTES_PER_HOUR / 1e6:.1f}",
        step_mb=f"{MOST_STEP_BYTES / 1e6:.1f}",
        warm_up_mb=f"{MOST_WARM_UP_BYTES / 1e6:.0f}",
        log_name=log_name,
        version=__version__,
    )


def _tiles(findings: Findings) -> list[Tile]:
    return [
        Tile("minutes", f"{findings.elapsed_s / 60:.1f}", ""),
        Tile("actions", f"{findings.actions:,}", ""),
        Tile("failures", f"{len(findings.failures):,}", ""),
        Tile("outputs compared", f"{findings.compared:,}", ""),
        Tile("retries", f"{findings.retries:,}", ""),
        Tile("CRC errors", f"{findings.crc_errors:,}", ""),
    ]


def _latency_row(latency: Latency) -> list[str]:
    return [latency.action, f"{len(latency.took_s):,}", *(f"{1e3 * s:,.1f}" for s in latency.percentiles_s())]


def _board_row(board: Record, findings: Findings) -> list[str]:
    counted = findings.counted.get(board["board"], NOT_ASKED)
    figures = (counted.least_free_ram_bytes, counted.most_overruns)
    return [f"board {board['board']}", *("not asked" if value is None else f"{value:,}" for value in figures)]


def _process_row(growth: Growth) -> list[str]:
    return [
        growth.who,
        *(
            f"{size / 1e6:.1f}"
            for size in (growth.rss_bytes[0], growth.rss_bytes.max(), growth.rss_bytes[-1])
        ),
        *map(_change_text, (growth.slope_bytes_per_hour, growth.rise_bytes)),
        *(f"{counts[0]} \u2192 {counts[-1]}" for counts in (growth.descriptors, growth.children)),
    ]


def _change_text(change_bytes: float | None) -> str:
    return "too short" if change_bytes is None else f"{change_bytes / 1e6:+.2f}".replace("-", "\u2212")


def latency_plot(latency: Latency) -> Plot:
    """Return percentiles of an action's time, in as many stretches of the soak as there are data for."""
    minutes, percentiles_ms = binned(latency)
    curves = [_Curve(css, label, minutes, percentiles_ms[p]) for css, label, p in CURVES]
    most = 1e3 * float(latency.took_s.max())
    note = f"{len(latency.took_s):,} of them, in stretches of equal time. The longest took {most:,.1f} ms."
    name = f"latency-{latency.action.replace(' ', '-')}"
    return _plot(latency.action.capitalize(), note, curves, "ms", name, full=latency.action == ROUND_TRIP)


def binned(latency: Latency) -> tuple[Float64s, dict[int, Float64s]]:
    """Return the middles of the stretches in minutes, and for each percentile its times there in ms."""
    count = int(np.clip(len(latency.took_s) // 8, 1, BINS))
    edges = np.linspace(latency.at_s[0], latency.at_s[-1] + 1e-9, count + 1)
    place = np.clip(np.searchsorted(edges, latency.at_s, side="right") - 1, 0, count - 1)
    filled = np.unique(place)
    middles = (edges[filled] + edges[filled + 1]) / 2 / 60
    stretches = [1e3 * latency.took_s[place == index] for index in filled]
    return middles, {p: np.array([np.percentile(times, p) for times in stretches]) for _, _, p in CURVES}


def _process_plots(findings: Findings) -> list[Plot]:
    shown = [growth for growth in findings.growths if growth.who.startswith((WORKER, "supervisor"))]
    return [figure for growth in shown for figure in (memory_plot(growth), counts_plot(growth))]


def memory_plot(growth: Growth) -> Plot:
    """Return a process's resident memory over time."""
    curves = [_Curve("device", "resident memory", growth.at_s / 60, growth.rss_bytes / 1e6)]
    slope = growth.slope_bytes_per_hour
    note = (
        "Too short to tell a slope."
        if slope is None
        else f"Slope after the warm-up {slope / 1e6:+.2f} MB an hour."
    )
    return _plot(f"Memory, {growth.who}", note, curves, "MB", f"memory-{growth.who.replace(' ', '-')}")


def counts_plot(growth: Growth) -> Plot:
    """Return a process's open descriptors and its children over time."""
    minutes = growth.at_s / 60
    curves = [
        _Curve("device", "open descriptors", minutes, growth.descriptors.astype(np.float64)),
        _Curve("target", "child processes", minutes, growth.children.astype(np.float64)),
    ]
    note = f"{growth.descriptors[0]} and {growth.children[0]} at its start, "
    note += f"{growth.descriptors[-1]} and {growth.children[-1]} at its end."
    return _plot(
        f"Descriptors, {growth.who}", note, curves, "count", f"counts-{growth.who.replace(' ', '-')}"
    )


def _plot(title: str, note: str, curves: list[_Curve], unit: str, name: str, full: bool = False) -> Plot:
    x, y = (np.concatenate([getattr(curve, axis) for curve in curves]) for axis in "xy")
    _, top = span(y, 0.0, 0.0)
    right = max(float(x.max()), 1e-3)

    def draw(width: int, height: int, identifier: str) -> Markup:
        x_axis = svg.nice_axis(0.0, right, "minutes")
        frame = PlotArea(width, height, x_axis, svg.nice_axis(0.0, top, unit, whole=unit == "count"))
        lines = [svg.curve(frame, curve.css, curve.x, curve.y) for curve in curves]
        return svg.svg(frame, identifier, title, note, lines)

    legend = [line_key(curve.css, curve.label) for curve in curves]
    return plot(title, note, legend, draw, name, 240, full=full)


def _board(board: Record, findings: Findings) -> dict[str, Any]:

    counted = findings.counted.get(board["board"], NOT_ASKED)
    return {key: board[key] for key in ("board", "port", "seed")} | asdict(counted)


def document(findings: Findings, verdict: str, log: Log, page: Path) -> dict[str, Any]:
    """Return what ``--json`` has: verdict, figures, failures, and where log and page are."""
    names = ("p50", "p95", "p99", "max")
    return {
        "verdict": verdict,
        "elapsed_s": findings.elapsed_s,
        "boards": [_board(board, findings) for board in findings.boards],
        "compared": findings.compared,
        "link": {"retries": findings.retries, "crc_errors": findings.crc_errors},
        "latency_s": {
            item.action: {"times": len(item.took_s), **dict(zip(names, item.percentiles_s(), strict=True))}
            for item in findings.latencies
        },
        "processes": {
            item.who: {
                "rss_bytes_per_hour": item.slope_bytes_per_hour,
                "rss_rise_bytes": item.rise_bytes,
                "rss_bytes": [int(item.rss_bytes[0]), int(item.rss_bytes[-1])],
                "descriptors": [int(item.descriptors[0]), int(item.descriptors[-1])],
                "children": [int(item.children[0]), int(item.children[-1])],
            }
            for item in findings.growths
        },
        "failures": list(findings.failures),
        "against": [*log.missing, *findings.unfinished, *findings.leaks],
        "remarks": findings.remarks,
        "log": str(log.path),
        "report": str(page),
    }
