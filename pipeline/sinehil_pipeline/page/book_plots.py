"""Draw the plots of the book's chapter as PNG bytes, by artefact name.

Matplotlib is imported when something is drawn.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sinehil.base.worker import Channel
from sinehil.model.arrays import Float32s
from sinehil_pipeline.config import Recipe
from sinehil_pipeline.conversion.evaluation import Evaluation
from sinehil_pipeline.data.samples import Dataset, Split, make_dataset
from sinehil_pipeline.page.plot_style import (
    BLACK,
    BLUE,
    DOT,
    GREEN,
    GREY,
    GRID_IN,
    ORANGE,
    SINGLE_IN,
    TALL_IN,
    VERMILION,
    WIDE_IN,
    png,
    quiet_corner,
    style,
)
from sinehil_pipeline.page.plot_subject import Floats, PlotSubject, plot_subject
from sinehil_pipeline.training.curves import drawable, fixed_order_y, target_y
from sinehil_pipeline.training.history import History

LATE_EPOCH = 100
Pngs = dict[str, bytes]


@dataclass(frozen=True)
class Predictions:
    """What is drawn over the data: y of shape [n] for the split named, the same on every CPU (``curves.drawable``)."""

    baseline_train: Floats
    final_test: Floats
    float_test: Floats
    quantized_test: Floats


def predictions_to_draw(
    recipe: Recipe, baseline: Sequence[Float32s], final: Sequence[Float32s], results: Evaluation
) -> Predictions:
    """Return what ``draw_all`` waits for, from the weights of both models and their evaluation."""
    data = make_dataset(recipe)
    baseline_y = fixed_order_y(baseline, data.train.x, recipe.baseline.activation)
    final_y = fixed_order_y(final, data.test.x, recipe.final.activation)
    return Predictions(
        baseline_train=drawable(results.baseline.train_y, baseline_y),
        final_test=drawable(results.final.test_y, final_y),
        float_test=drawable(results.float_y, final_y),
        quantized_test=results.quantized_y,
    )


def draw_all(channel: Channel, recipe: Recipe, histories: Mapping[str, History]) -> Pngs:
    """Draw data and histories, wait for the Predictions, draw them too."""
    channel.step_back()
    data = make_dataset(recipe)
    with style():
        pngs = draw_data(recipe, data)
        for name, history in histories.items():
            pngs[f"plots/{name}_history.png"] = draw_history(name, history)
        return pngs | draw_predictions(recipe, data, channel.receive())


def draw_data(recipe: Recipe, data: Dataset) -> Pngs:
    """Draw the samples without and with noise, and the split."""
    x = np.concatenate([split.x for _, split in data.splits()])
    y = np.concatenate([split.y for _, split in data.splits()])
    return {
        "plots/samples.png": _samples(plot_subject(recipe), x, y, recipe.noise),
        "plots/split.png": _split(plot_subject(recipe), data),
    }


def draw_predictions(recipe: Recipe, data: Dataset, predictions: Predictions) -> Pngs:
    """Draw predicted against actual values of both models, and the three forms of the final one."""
    baseline, final, subject = recipe.baseline.name, recipe.final.name, plot_subject(recipe)
    return {
        f"plots/{baseline}_predictions.png": draw_predicted(
            subject, f"{baseline} on its training data", data.train, predictions.baseline_train
        ),
        f"plots/{final}_predictions.png": draw_predicted(
            subject, f"{final} on the test data", data.test, predictions.final_test
        ),
        "plots/comparison.png": draw_comparison(subject, final, data.test, predictions),
    }


def _figure(size_in: tuple[float, float], rows: int = 1, columns: int = 1, **options: Any) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=size_in)
    width_in, height_in = size_in
    # Margins in inches, for two lines of text each: what a layout engine finds too, at three times the cost.
    margins = {
        "left": 0.85 / width_in,
        "right": 1 - 0.3 / width_in,
        "bottom": 0.55 / height_in,
        "top": 1 - (0.75 if rows * columns == 4 else 0.4) / height_in,
        "wspace": 0.2,
        "hspace": 0.32 if columns > 1 else 0.15,
    }
    return figure, figure.subplots(rows, columns, gridspec_kw=margins, **options)


def _samples(subject: PlotSubject, x: Float32s, y: Float32s, noise: float) -> bytes:
    if subject.target is None:
        return _file_samples(subject, x, y)
    figure, (left, right) = _figure(WIDE_IN, 1, 2, sharey=True)
    exact = target_y(subject.target, x)
    left.scatter(x, exact, DOT, BLUE, linewidths=0)
    left.set_title(f"{len(x)} samples of {subject.name}")
    right.scatter(x, y, DOT, BLUE, linewidths=0, alpha=0.6)
    subject.draw(right)
    right.set_title(f"With {noise:g} · normal noise: what the models learn")
    for axes in (left, right):
        subject.label_axes(axes)
    right.legend(loc=quiet_corner(x, y))
    right.set_ylabel("")
    return png(figure)


def _file_samples(subject: PlotSubject, x: Float32s, y: Float32s) -> bytes:
    figure, axes = _figure(SINGLE_IN)
    axes.scatter(x, y, DOT, BLUE, linewidths=0, alpha=0.6, label=f"{len(x)} samples")
    axes.set_title("The samples as the file has them")
    subject.label_axes(axes)
    axes.legend(loc=quiet_corner(x, y))
    return png(figure)


def _split(subject: PlotSubject, data: Dataset) -> bytes:
    figure, axes = _figure(SINGLE_IN)
    styles = {"train": (BLUE, "o"), "validation": (ORANGE, "s"), "test": (BLACK, "^")}
    for name, split in data.splits():
        colour, marker = styles[name]
        label = f"{name} ({len(split.x)})"
        axes.scatter(split.x, split.y, 16, colour, marker=marker, linewidths=0, alpha=0.75, label=label)
    axes.set_title("The samples, split by role")
    subject.label_axes(axes)
    axes.legend(loc=quiet_corner(data.train.x, data.train.y))
    return png(figure)


def draw_history(name: str, history: History) -> bytes:
    """Draw loss and mae of one model, whole and, where there are so many epochs, from epoch 100 on."""
    figure, grid = _figure(GRID_IN, 2, 2)
    epochs = np.arange(1, len(history.mse) + 1)
    late = LATE_EPOCH if len(epochs) > LATE_EPOCH else 1
    rows = (
        ("Loss", "mean squared error", history.mse, history.val_mse),
        ("Mean absolute error", "mean absolute error", history.mae, history.val_mae),
    )
    for (title, unit, training, validation), axes_row in zip(rows, grid, strict=True):
        for axes, first in zip(axes_row, (1, late), strict=True):
            _curve(axes, epochs[first - 1 :], training[first - 1 :], validation[first - 1 :])
            axes.set_title(f"{title}, {'all epochs' if first == 1 else f'from epoch {first}'}")
            axes.set_ylabel(unit)
    figure.suptitle(f"{name}: training and validation")
    return png(figure)


def _curve(axes: Any, epochs: Any, training: Float32s, validation: Float32s) -> None:
    axes.plot(epochs, validation, color=ORANGE, linewidth=1.0, label="validation")
    axes.plot(epochs, training, color=BLUE, label="training")
    axes.set_xlabel("epoch")
    axes.set_xlim(epochs[0], max(epochs[-1], epochs[0] + 1))
    bottom, top = axes.get_ylim()
    axes.set_ylim(bottom, top + 0.25 * (top - bottom))  # room for the legend above the curves
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[::-1], labels[::-1], loc="upper right")


def draw_predicted(subject: PlotSubject, title: str, split: Split, predicted: Floats) -> bytes:
    """Draw a model's y, shape [n], over the pairs that it was asked about."""
    figure, axes = _figure(SINGLE_IN)
    axes.scatter(split.x, split.y, DOT, BLUE, linewidths=0, alpha=0.5, label="actual (noisy sample)")
    subject.draw(axes)
    order = np.argsort(split.x, kind="stable")
    axes.plot(split.x[order], predicted[order], ".-", color=VERMILION, markersize=4, label="predicted")
    axes.set_title(f"Predicted and actual values: {title}")
    subject.label_axes(axes)
    axes.legend(loc=quiet_corner(split.x, split.y))
    return png(figure)


def draw_comparison(subject: PlotSubject, name: str, test: Split, predictions: Predictions) -> bytes:
    """Draw a model's three forms over the test data, and how far each is from the function."""
    figure, (upper, lower) = _figure(TALL_IN, 2, 1, height_ratios=[2, 1], sharex=True)
    order = np.argsort(test.x, kind="stable")
    x, exact = test.x[order], subject.exact(test)[order]
    upper.scatter(test.x, test.y, DOT, GREY, linewidths=0, alpha=0.7, label="actual (noisy sample)")
    forms = (
        ("Keras", predictions.final_test, {"color": BLUE, "linewidth": 5.0, "alpha": 0.35}),
        ("Lite, float32", predictions.float_test, {"color": GREEN, "linewidth": 1.8}),
        (
            "Lite, quantized to int8",
            predictions.quantized_test,
            {"color": VERMILION, "linestyle": "none", "marker": "x", "markersize": 4.5},
        ),
    )
    for label, y, style_of in forms:
        upper.plot(x, y[order], label=label, **style_of)
        lower.plot(x, y[order] - exact, **style_of)
    subject.draw(upper)
    lower.axhline(0, color=BLACK, linewidth=0.8, linestyle="--")
    upper.set_title(f"{name} on the test data, in its three forms")
    lower.set_title(f"How far each form is from {subject.name}")
    for axes in (upper, lower):
        subject.label_axes(axes)
    upper.set_xlabel("")
    lower.set_ylabel("y - y of the sample" if subject.target is None else f"y - {subject.name}")
    upper.legend(loc=quiet_corner(test.x, test.y))
    return png(figure)
