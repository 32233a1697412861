"""SVG figures of the training page: samples, learning curves, predictions and errors against the target."""

import math
from collections.abc import Mapping

import numpy as np
from markupsafe import Markup

from sinehil.model.arrays import Float32s, Float64s
from sinehil.report import svg
from sinehil.report.figure import (
    HALF_WIDTH,
    Legend,
    Plot,
    band_key,
    dot_key,
    half_step_band,
    line_key,
    plot,
    plus_key,
    span,
    zero_line,
)
from sinehil.report.number_text import number_text
from sinehil.report.svg import PlotArea
from sinehil_pipeline.data.samples import Dataset, Split
from sinehil_pipeline.page.content import Content
from sinehil_pipeline.page.plot_subject import PlotSubject
from sinehil_pipeline.training.curves import target_y
from sinehil_pipeline.training.jobs import Trained

EDGE = 0.02  # of the range of x, shown beyond either end
LEAST_ERROR = 0.1  # of an output step, shown in any case
SHOWN_DOTS = 8  # of the grid's points, one in so many is a dot
LINES = ("baseline", "keras", "lite", "int8")


def data_figure(content: Content) -> Plot:
    """Draw the samples by their role."""
    data, subject = content.data, content.subject
    y = np.concatenate([split.y for _, split in data.splits()]).astype(np.float64)
    low, high = _span(y)
    counts = ", ".join(f"{len(split.x):,} for {role}" for role, split in _roles(data).items())
    note = f"{len(y):,} samples: {counts}."

    def draw(width: int, height: int, identifier: str) -> Markup:
        frame = PlotArea(width, height, _x_axis(subject), svg.nice_axis(low, high, "y"))
        size = 0.7 if width < HALF_WIDTH else 1.0
        train, validation, test = (_pair(split) for split in _roles(data).values())
        parts = [
            svg.dots(frame, "train", *train, 2 * size),
            svg.dots(frame, "validation square", *validation, 2 * size),
            svg.pluses(frame, "test", *test, 3.5 * size),
            *_target(frame, subject),
        ]
        return svg.svg(frame, identifier, "The samples, y over x", note, parts)

    legend = [
        dot_key("train", "training"),
        dot_key("validation square", "validation"),
        plus_key("test", "test"),
        *_target_key(subject),
    ]
    return plot("Samples", note, legend, draw, "samples", 340, full=True)


def learning_figures(model: Trained, name: str) -> list[Plot]:
    """Draw loss and mean absolute error of each epoch; ``name`` begins the pictures' identifiers."""
    history = model.history
    return [
        _learning(f"{model.name}: mean squared error", history.mse, history.val_mse, "mse", name),
        _learning(f"{model.name}: mean absolute error", history.mae, history.val_mae, "mae", name),
    ]


def prediction_figure(content: Content) -> Plot:
    """Draw the four models' y over x, on the test data."""
    curves, subject, test = content.curves, content.subject, _pair(content.data.test)
    text = f"y over x, on the test data. Largest distance from {subject.reference}: {_worst_text(content)}"
    low, high = _span(np.concatenate([test[1], curves.baseline, curves.final]))
    title = "Four models" if subject.target is None else f"Four models and {subject.target.label}"

    def draw(width: int, height: int, identifier: str) -> Markup:
        frame = PlotArea(width, height, _x_axis(subject), svg.nice_axis(low, high, "y"))
        parts = [
            svg.dots(frame, "actual", *test, 2.5),
            svg.curve(frame, "keras", curves.x, curves.final),
            svg.curve(frame, "lite", curves.x, curves.lite),
            svg.curve(frame, "baseline", curves.x, curves.baseline),
            *_target(frame, subject),
            svg.dots(frame, "int8", curves.x[::SHOWN_DOTS], curves.quantized[::SHOWN_DOTS], 2.5),
        ]
        return svg.svg(frame, identifier, title, text, parts)

    legend = [
        dot_key("actual", "test data"),
        *(line_key(css, text) for css, text in zip(LINES[:3], _names(content), strict=False)),
        dot_key("int8", _names(content)[3]),
        *_target_key(subject),
    ]
    note = "Where the forms of one model agree, the thin line lies on the wide one and the dots on both."
    return plot(title, note, legend, draw, "predictions", 360, full=True)


def error_figures(content: Content) -> list[Plot]:
    """Draw the distance from the target: of all four, and of the final model's forms at their own scale.

    Where no target is known, draw what quantising costs: how far int8 is from the float model.
    """
    curves, name, reference = content.curves, content.final.name, content.subject.reference
    errors = {css: y - curves.reference for css, y in zip(LINES, _ys(content), strict=True)}
    band = " The band is half a step of the int8 output to either side."
    if content.subject.target is None:
        int8 = {"int8": errors["int8"]}
        return [_errors(f"Distance of int8 from {reference}", band, content, int8, "final-errors", full=True)]
    final = {css: error for css, error in errors.items() if css != "baseline"}
    return [
        _errors(f"Distance from {reference}, all four", "", content, errors, "errors"),
        _errors(f"Distance from {reference}, {name} alone", band, content, final, "final-errors"),
    ]


def _errors(
    title: str, note: str, content: Content, errors: Mapping[str, Float64s], name: str, full: bool = False
) -> Plot:
    scale, subject = float(content.quantized.output.scale), content.subject
    low, high = span(
        np.concatenate(list(errors.values())), -LEAST_ERROR * scale, LEAST_ERROR * scale, math.inf
    )
    text = "Largest: " + _worst_text(content, list(errors))
    unit = "int8 \u2212 float" if subject.target is None else f"y \u2212 {subject.reference}"

    def draw(width: int, height: int, identifier: str) -> Markup:
        frame = PlotArea(width, height, _x_axis(subject), svg.nice_axis(low, high, unit))
        lines = [svg.curve(frame, f"{css} fine", content.curves.x, error) for css, error in errors.items()]
        parts = [half_step_band(frame, scale), zero_line(frame), *lines]
        return svg.svg(frame, identifier, title, text, parts)

    names = dict(zip(LINES, _names(content), strict=True))
    legend = [line_key(f"{css} fine", names[css]) for css in errors]
    band = band_key("band", "\u00b1 half an output LSB")
    return plot(title, text + note, [*legend, band], draw, name, 300, full)


def _learning(title: str, training: Float32s, validation: Float32s, unit: str, name: str) -> Plot:
    epochs = np.arange(1.0, len(training) + 1)
    lines = [np.log10(np.maximum(values.astype(np.float64), 1e-12)) for values in (training, validation)]
    low, high = span(np.concatenate(lines), lines[0][0] - 0.1, lines[0][0])
    ends = f"After epoch {len(training)}: training {_short(training)}, validation {_short(validation)}."

    def draw(width: int, height: int, identifier: str) -> Markup:
        axis = svg.log_axis(10.0**low, 10.0**high, f"{unit}, logarithmic")
        frame = PlotArea(width, height, svg.nice_axis(0, len(training) * 1.01, "epoch", whole=True), axis)
        parts = [
            svg.curve(frame, "validating", epochs, lines[1]),
            svg.curve(frame, "training", epochs, lines[0]),
        ]
        return svg.svg(frame, identifier, title, ends, parts)

    legend = [line_key("training", "training"), line_key("validating", "validation")]
    return plot(title, ends, legend, draw, f"{name}-{unit}", 280)


def _worst_text(content: Content, lines: list[str] | None = None) -> str:
    """Return the largest distance of each line, but from itself."""
    reference = content.curves.reference
    found = {
        css: f"{name}: {number_text(float(np.abs(y - reference).max()), 3)}"
        for css, name, y in zip(LINES, _names(content), _ys(content), strict=True)
        if y is not reference
    }
    return "; ".join(found[css] for css in lines or found) + "."


def _ys(content: Content) -> tuple[Float64s, ...]:
    curves = content.curves
    return curves.baseline, curves.final, curves.lite, curves.quantized


def _names(content: Content) -> list[str]:
    return [f"{model}, {form}" for model, form in content.forms_of_models]


def _roles(data: Dataset) -> dict[str, Split]:
    return {"training": data.train, "validation": data.validation, "test": data.test}


def _pair(split: Split) -> tuple[Float64s, Float64s]:
    return split.x.astype(np.float64), split.y.astype(np.float64)


def _span(y: Float64s) -> tuple[float, float]:
    return span(y, float(y[0]), float(y[0]), math.inf)


def _x_axis(subject: PlotSubject) -> svg.Axis:
    margin = EDGE * (subject.high - subject.low)
    return svg.x_axis(subject.target, subject.low - margin, subject.high + margin)


def _target(frame: PlotArea, subject: PlotSubject) -> list[Markup]:
    if subject.target is None:
        return []
    x = np.linspace(subject.low, subject.high, 241)
    return [svg.curve(frame, "target", x, target_y(subject.target, x))]


def _target_key(subject: PlotSubject) -> list[Legend]:
    return [] if subject.target is None else [line_key("target", subject.target.label)]


def _short(values: Float32s) -> str:
    return number_text(float(values[-1]), 3)
