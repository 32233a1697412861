"""The plots of a report, each drawn for a wide and for a narrow screen."""

import math
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from sinehil.model.arrays import Float64s
from sinehil.model.targets import Target
from sinehil.report import svg
from sinehil.report.claims import distance_clause
from sinehil.report.figure import (
    HUGE,
    Legend,
    Plot,
    band_key,
    cross_key,
    dot_key,
    half_step_band,
    line_key,
    plot,
    span,
    zero_line,
)
from sinehil.report.mismatches import float_error_lsb
from sinehil.report.number_text import number_text, oracle_label
from sinehil.report.output_figures import output_plots
from sinehil.report.svg import PlotArea
from sinehil.verify.result import CodeComparison, VerifyResult

FEW = 120
CURVE_POINTS = 241


@dataclass(frozen=True)
class _Series:
    """The float comparison by ascending x, without what has no place on an x axis."""

    x: Float64s
    device: Float64s
    oracle: Float64s
    error_lsb: Float64s
    equal: np.ndarray[tuple[int], np.dtype[np.bool_]]
    left_out: int


def plots_of(result: VerifyResult) -> list[Plot]:
    """Return the figures that this result has data for."""
    if result.is_wide or result.identity.outputs > 1:
        return output_plots(result)
    series = _series(result)
    target = result.aim.target
    figures = [output_plot(result, series)]
    figures += [] if target is None else [distance_plot(result, target, series)]
    figures.append(float_error_plot(result, series))
    if result.codes is not None and len(result.codes.x_q):
        figures.append(code_error_plot(result.codes))
    return figures


def output_plot(result: VerifyResult, series: _Series) -> Plot:
    """Device, interpreter and, where it is known, the target over x."""
    view, target = _view(result), result.aim.target
    low, high = _y_span(series, target)
    few = len(series.x) <= FEW
    oracle = oracle_label(result.oracle, result.oracle_version)
    words = "Board and interpreter" if target is None else f"Board, interpreter and {target.label}"

    def draw(width: int, height: int, identifier: str) -> Markup:
        frame = PlotArea(width, height, svg.x_axis(target, *view), svg.nice_axis(low, high, "y"))
        if few:
            data = [
                svg.dots(frame, "oracle-dots", series.x, series.oracle, 6),
                svg.dots(frame, "device-dots", series.x, series.device, 3),
            ]
        else:
            data = [
                svg.curve(frame, "oracle", series.x, series.oracle),
                svg.curve(frame, "device", series.x, series.device),
            ]
        wrong = svg.crosses(frame, *_wrong(series, series.device))
        parts = [*_target_curve(frame, target, view), *data, wrong]
        return svg.svg(frame, identifier, words, _describe(result, "y over x"), parts)

    legend = [
        _board_key(few, "board"),
        dot_key("oracle-dots", oracle, 12) if few else line_key("oracle", oracle),
        *([] if target is None else [line_key("target", target.label)]),
    ]
    note = "Where board and interpreter agree, the thin line lies on the wide one."
    if few:
        note = "Where board and interpreter agree, the dot lies in the middle of the disc."
    return plot(
        "Output y",
        note + _left_out(series),
        [*legend, *_wrong_legend(series)],
        draw,
        "output",
        340,
        full=True,
    )


def distance_plot(result: VerifyResult, target: Target, series: _Series) -> Plot:
    """How far the board's y is from the target, with half an output step for scale."""
    inside = target.covers(series.x.astype(np.float32)) & np.isfinite(series.device)
    x, error = series.x[inside], series.device[inside] - target.function(series.x[inside])
    half = result.identity.output_scale / 2
    low, high = span(np.append(error, [-half, half]), -0.01, 0.01)
    worst = int(np.argmax(np.abs(error))) if len(error) else None
    note = "Information about the model, no part of the verdict."
    if worst is not None:
        note += f" Largest: {number_text(float(error[worst]), 3)} at x = {number_text(float(x[worst]), 4)}."

    def draw(width: int, height: int, identifier: str) -> Markup:
        frame = PlotArea(
            width,
            height,
            svg.x_axis(target, *_view(result)),
            svg.nice_axis(low, high, f"y \u2212 {target.label}"),
        )
        parts = [half_step_band(frame, result.identity.output_scale), zero_line(frame)]
        if len(x) > FEW:
            parts.append(svg.curve(frame, "device", x, error))
        else:
            parts.append(svg.dots(frame, "device-dots", x, error, 3))
        if worst is not None:
            parts.append(svg.dots(frame, "ring", x[[worst]], error[[worst]], 5))
        words = _describe(result, f"y minus {target.label} over x")
        return svg.svg(frame, identifier, f"Board minus {target.label}", words, parts)

    legend = [
        _board_key(len(x) <= FEW, f"board \u2212 {target.label}"),
        dot_key("ring", "largest", 10),
        band_key("band", "\u00b1 half an output LSB: int8 cannot do better everywhere"),
    ]
    full = result.codes is not None
    return plot(f"Distance from {target.label}", note, legend, draw, "distance", 270, full=full)


def float_error_plot(result: VerifyResult, series: _Series) -> Plot:
    """Device minus interpreter in output steps over x."""
    wrong_all = int(np.count_nonzero(~result.floats.equal))
    note = f"{len(result.floats.x) - wrong_all:,} of {len(result.floats.x):,} float outputs have equal bits."
    view, equal = _view(result), series.equal
    low, high = _lsb_span(series.error_lsb)

    def draw(width: int, height: int, identifier: str) -> Markup:
        frame = PlotArea(width, height, svg.x_axis(result.aim.target, *view), _lsb_axis(low, high))
        drawn = svg.dots(frame, "device-dots", series.x[equal], np.zeros(int(equal.sum())), 2)
        x, error = _wrong(series, series.error_lsb)
        wrong = svg.crosses(frame, x, error)
        title = "Board minus interpreter over x"
        return svg.svg(
            frame,
            identifier,
            title,
            _describe(result, "difference in LSB over x"),
            [zero_line(frame), drawn, wrong],
        )

    legend = [dot_key("device-dots", "equal bits"), *_wrong_legend(series)]
    return plot(
        "Board \u2212 interpreter, float x", note + _left_out(series), legend, draw, "float-error", 270
    )


def code_error_plot(codes: CodeComparison) -> Plot:
    """Device minus interpreter over the input code."""
    x, error = codes.x_q.astype(np.float64), codes.error_lsb.astype(np.float64)
    wrong = error != 0
    equal = int(np.count_nonzero(~wrong))
    note = f"{equal:,} of {len(x):,} output codes are equal."
    low, high = _lsb_span(error)
    ticks = tuple(svg.Tick(k, str(k).replace("-", "\u2212")) for k in (-128, -64, 0, 64, 127))

    def draw(width: int, height: int, identifier: str) -> Markup:
        frame = PlotArea(width, height, svg.Axis(-134, 133, "input code (int8)", ticks), _lsb_axis(low, high))
        stems = Markup("").join(_stem(frame, cx, cy) for cx, cy in zip(x[wrong], error[wrong], strict=True))
        drawn = svg.dots(frame, "device-dots", x[~wrong], error[~wrong], 2)
        parts = [zero_line(frame), stems, drawn, svg.crosses(frame, x[wrong], error[wrong])]
        return svg.svg(frame, identifier, "Board minus interpreter over the input code", note, parts)

    legend = [dot_key("device-dots", "equal"), *([cross_key("wrong", "differs")] if wrong.any() else [])]
    return plot("Board \u2212 interpreter, int8 codes", note, legend, draw, "code-error", 270)


def _series(result: VerifyResult) -> _Series:
    floats = result.floats
    drawable = np.flatnonzero(np.isfinite(floats.x) & (np.abs(floats.x) < HUGE))
    order = drawable[np.argsort(floats.x[drawable], kind="stable")]
    low, high = _view(result)
    seen = order[(floats.x[order] >= low) & (floats.x[order] <= high)]
    error = float_error_lsb(floats, result.identity.output_scale)
    columns = (floats.x[seen], floats.device_y[seen], floats.oracle_y[seen])
    x, device, oracle = (column.astype(np.float64) for column in columns)
    return _Series(x, device, oracle, error[seen], floats.equal[seen], len(floats.x) - len(seen))


def _view(result: VerifyResult) -> tuple[float, float]:
    """Return the x range worth showing: the target's and what the input codes can represent."""
    identity, target = result.identity, result.aim.target
    low, high = ((code - identity.input_zero_point) * identity.input_scale for code in (-128, 127))
    ends = [end for end in (low, high) if math.isfinite(end) and abs(end) < HUGE]
    ends += [0.0, 1.0] if target is None and len(ends) < 2 else []
    ends += [] if target is None else [target.low, target.high]
    margin = 0.02 * (max(ends) - min(ends))
    return min(ends) - margin, max(ends) + margin


def _y_span(series: _Series, target: Target | None) -> tuple[float, float]:
    """Return the y worth showing: the interpreter's, the target's, and the board's unless that is beyond measure."""
    wanted = series.oracle
    if target is not None:
        wanted = np.append(wanted, target.function(np.linspace(target.low, target.high, CURVE_POINTS)))
    first = float(wanted[0]) if len(wanted) else 0.0
    seen = np.concatenate([wanted, series.device[np.isfinite(series.device)]])
    return span(seen, first, first, max(HUGE, 2 * float(np.abs(wanted).max(initial=0))))


def _target_curve(frame: PlotArea, target: Target | None, view: tuple[float, float]) -> list[Markup]:
    if target is None:
        return []
    x = np.linspace(*view, CURVE_POINTS)
    return [svg.curve(frame, "target", x, target.function(x))]


def _wrong(series: _Series, y: Float64s) -> tuple[Float64s, Float64s]:
    """Return the differing points; what has no number is put at the top edge."""
    wrong = ~series.equal
    return series.x[wrong], np.nan_to_num(y[wrong], nan=HUGE, posinf=HUGE, neginf=-HUGE)


def _lsb_span(error: Float64s) -> tuple[float, float]:
    worst = np.abs(error[np.isfinite(error)]).max(initial=2.0)
    worst = min(float(worst), 255.0)
    return -1.15 * worst, 1.15 * worst


def _lsb_axis(low: float, high: float) -> svg.Axis:
    return svg.nice_axis(low, high, "difference in LSB", whole=True)


def _stem(frame: PlotArea, x: float, y: float) -> Markup:
    px = float(frame.px(np.array([x]))[0])
    top, zero = frame.py(np.array([y, 0.0]))
    return svg.line("stem", px, float(top), px, float(zero))


def _board_key(few: bool, words: str) -> Legend:
    return dot_key("device-dots", words) if few else line_key("device", words)


def _wrong_legend(series: _Series) -> list[Legend]:
    return [cross_key("wrong", "differs")] if not series.equal.all() else []


def _left_out(series: _Series) -> str:
    if not series.left_out:
        return ""
    return f" {series.left_out} inputs beyond the x axis (far numbers, infinities, NaN) are compared but not drawn."


def _describe(result: VerifyResult, what: str) -> str:
    return (
        f"Plot of {what}. {result.compared - result.mismatches:,} of {result.compared:,} outputs equal to "
        f"{oracle_label(result.oracle, result.oracle_version)}{distance_clause(result)}."
    )
