"""A row of figures for each output of a model, and the plots for models that have no curve over x."""

from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from sinehil.model.arrays import Float64s
from sinehil.report import svg
from sinehil.report.figure import HUGE, Plot, band_key, cross_key, dot_key, line_key, plot, span, zero_line
from sinehil.report.mismatches import float_error_lsb, lsb_text
from sinehil.report.number_text import number_text, oracle_label
from sinehil.report.svg import Axis, PlotArea, Tick
from sinehil.verify.result import VerifyResult

LOWEST, HIGHEST = -128, 127
MOST_TICKS = 9


@dataclass(frozen=True)
class OutputRow:
    """What one output was compared on. ``worst`` is the difference largest in magnitude, in LSB."""

    output: int
    compared: str
    differ: int
    worst: str
    values: str
    lowest: str
    highest: str


def output_rows(result: VerifyResult) -> list[OutputRow]:
    """Return a row for each output of a model that has several inputs or outputs, else nothing."""
    if not result.is_wide and result.identity.outputs == 1:
        return []
    y, error = _expected(result), _errors(result)
    return [_row(output, y[:, output], error[:, output]) for output in range(y.shape[1])]


def output_plots(result: VerifyResult) -> list[Plot]:
    """Return the figures for a model with several inputs or outputs."""
    curves = [] if result.is_wide else [_curves(result)]
    return [*curves, _difference_plot(result), _range_plot(result), _histogram(result)]


def _curves(result: VerifyResult) -> Plot:
    """Draw every output over the one input."""
    identity, floats = result.identity, result.floats
    low, high = ((code - identity.input_zero_point) * identity.input_scale for code in (LOWEST, HIGHEST))
    inside = np.flatnonzero((floats.x >= low) & (floats.x <= high))
    order = inside[np.argsort(floats.x[inside], kind="stable")]
    x = floats.x[order].astype(np.float64)
    device, oracle = (y[order].astype(np.float64) for y in (floats.device_y, floats.oracle_y))
    wrong = ~floats.equal[order]
    bottom, top = span(oracle, float(oracle.min(initial=0)), float(oracle.max(initial=0)))

    def draw(width: int, height: int, identifier: str) -> Markup:
        frame = PlotArea(width, height, svg.x_axis(None, low, high), svg.nice_axis(bottom, top, "y"))
        curves = [svg.curve(frame, "oracle", x, column) for column in oracle.T]
        curves += [svg.curve(frame, "device", x, column) for column in device.T]
        crosses = [
            svg.crosses(frame, x[bad], np.nan_to_num(column[bad], nan=HUGE))
            for column, bad in zip(device.T, wrong.T, strict=True)
        ]
        return svg.svg(frame, identifier, "Board and interpreter", note, [*curves, *crosses])

    note = f"All {identity.outputs} outputs. Where board and interpreter agree, the thin line lies on the wide one."
    legend = [
        line_key("device", "board"),
        line_key("oracle", oracle_label(result.oracle, result.oracle_version)),
        *([cross_key("wrong", "differs")] if wrong.any() else []),
    ]
    return plot("Outputs over x", note, legend, draw, "output", 340, full=True)


def _row(output: int, y: Float64s, error: Float64s) -> OutputRow:
    seen = y[np.isfinite(y)]
    return OutputRow(
        output,
        f"{len(y):,}",
        int(np.count_nonzero(error != 0)),
        lsb_text(float(error[_worst(error)])) if error.any() else "0",
        f"{len(np.unique(seen)):,}",
        number_text(float(seen.min()), 4) if len(seen) else "",
        number_text(float(seen.max()), 4) if len(seen) else "",
    )


def _expected(result: VerifyResult) -> Float64s:
    """Return the interpreter's y for everything that was compared, [n, outputs]; codes as what they stand for."""
    identity, outputs = result.identity, result.identity.outputs
    parts = [result.floats.oracle_y.astype(np.float64).reshape(-1, outputs)]
    if result.codes is not None:
        codes = result.codes.oracle_y_q.astype(np.float64).reshape(-1, outputs)
        parts.append((codes - identity.output_zero_point) * np.float64(np.float32(identity.output_scale)))
    scale = identity.output_scale
    return np.rint(np.concatenate(parts) / scale) * scale


def _errors(result: VerifyResult) -> Float64s:
    """Return device minus interpreter in LSB, [n, outputs], 0 only where the bits are equal."""
    outputs = result.identity.outputs
    floats = float_error_lsb(result.floats, result.identity.output_scale)
    floats = np.where(result.floats.equal, 0.0, np.where(floats == 0, np.nan, floats)).reshape(-1, outputs)
    if result.codes is None:
        return floats
    return np.concatenate([floats, result.codes.error_lsb.astype(np.float64).reshape(-1, outputs)])


def _worst(error: Float64s) -> int:
    return int(np.argmax(np.where(np.isnan(error), np.inf, np.abs(error))))


def _difference_plot(result: VerifyResult) -> Plot:
    """Draw the largest difference of each output."""
    error = _errors(result)
    worst = np.array([column[_worst(column)] for column in error.T]) if len(error) else np.zeros(0)
    at, wrong = np.arange(len(worst), dtype=np.float64), worst != 0
    limit = min(float(np.abs(worst[np.isfinite(worst)]).max(initial=2.0)), 255.0) * 1.15
    note = (
        f"{result.compared - result.mismatches:,} of {result.compared:,} outputs are equal, "
        f"{int(np.count_nonzero(~wrong))} of {len(worst)} in every sample."
    )

    def draw(width: int, height: int, identifier: str) -> Markup:
        axis = svg.nice_axis(-limit, limit, "difference in LSB", whole=True)
        frame = PlotArea(width, height, _output_axis(len(worst)), axis)
        shown = np.nan_to_num(worst[wrong], nan=limit, posinf=limit, neginf=-limit)
        parts = [
            zero_line(frame),
            svg.dots(frame, "device-dots", at[~wrong], worst[~wrong], 4),
            svg.crosses(frame, at[wrong], shown),
        ]
        return svg.svg(frame, identifier, "Largest difference of each output", note, parts)

    legend = [dot_key("device-dots", "equal in every sample", 8)]
    legend += [cross_key("wrong", "largest difference")] if wrong.any() else []
    return plot("Board \u2212 interpreter, output by output", note, legend, draw, "output-error", 270)


def _range_plot(result: VerifyResult) -> Plot:
    """Draw which y each output took, between the ends that its codes can represent."""
    y, identity = _expected(result), result.identity
    low, high = ((code - identity.output_zero_point) * identity.output_scale for code in (LOWEST, HIGHEST))
    margin = 0.04 * (high - low)
    note = "From the lowest to the highest y that the interpreter gave; the band is what int8 can represent."

    def draw(width: int, height: int, identifier: str) -> Markup:
        frame = PlotArea(
            width, height, _output_axis(y.shape[1]), svg.nice_axis(low - margin, high + margin, "y")
        )
        top, bottom = frame.py(np.array([high, low]))
        band = svg.rectangle("band", svg.LEFT, top, width - svg.LEFT - svg.RIGHT, bottom - top)
        bars = [_bar(frame, output, y[:, output]) for output in range(y.shape[1])]
        return svg.svg(frame, identifier, "Range of each output", note, [band, *bars])

    legend = [
        line_key("device", oracle_label(result.oracle, result.oracle_version)),
        band_key("band", "int8 can represent"),
    ]
    return plot("Range of y, output by output", note, legend, draw, "output-range", 270)


def _bar(frame: PlotArea, output: int, y: Float64s) -> Markup:
    x = float(frame.px(np.array([output], dtype=np.float64))[0])
    ends = frame.py(np.array([y.min(), y.max()]))
    dot = svg.dots(frame, "device-dots", np.full(2, float(output)), np.array([y.min(), y.max()]), 3)
    return svg.line("device", x, float(ends[0]), x, float(ends[1])) + dot


def _histogram(result: VerifyResult) -> Plot:
    """Draw how often each output code was compared, all outputs together."""
    scale, zero_point = result.identity.output_scale, result.identity.output_zero_point
    codes = np.clip(np.rint(_expected(result) / scale) + zero_point, LOWEST, HIGHEST).astype(np.int64)
    counts = np.bincount(codes.ravel() - LOWEST, minlength=256).astype(np.float64)
    used = int(np.count_nonzero(counts))
    note = f"{used} of 256 codes occur among the {result.compared:,} outputs that were compared."

    def draw(width: int, height: int, identifier: str) -> Markup:
        ticks = tuple(Tick(k, str(k).replace("-", "\u2212")) for k in (-128, -64, 0, 64, 127))
        frame = PlotArea(
            width,
            height,
            Axis(-130, 129, "output code (int8)", ticks),
            svg.nice_axis(0, max(1.0, 1.05 * float(counts.max())), "outputs", whole=True),
        )
        bars = [_column(frame, code, count) for code, count in zip(range(-128, 128), counts, strict=True)]
        return svg.svg(frame, identifier, "How often each output code was compared", note, bars)

    legend = [band_key("column", "outputs compared")]
    return plot("Output codes compared", note, legend, draw, "output-codes", 270, full=True)


def _column(frame: PlotArea, code: int, count: float) -> Markup:
    left, right = frame.px(np.array([code - 0.45, code + 0.45]))
    top, bottom = frame.py(np.array([count, 0.0]))
    return svg.rectangle("column", float(left), float(top), float(right - left), float(bottom - top))


def _output_axis(outputs: int) -> Axis:
    every = -(-outputs // MOST_TICKS)
    ticks: list[Tick] = [Tick(float(at), str(at)) for at in range(0, outputs, every)]
    return Axis(-0.6, outputs - 0.4, "output", tuple(ticks))
