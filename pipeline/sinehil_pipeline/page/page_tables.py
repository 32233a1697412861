"""Tables of the training page, as rows of text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sinehil.base import manifest
from sinehil.model.tflite import FullyConnected, Quantization, QuantizedModel
from sinehil.report.html_parts import Facts
from sinehil.report.number_text import float32_text, number_text
from sinehil_pipeline.conversion.evaluation import Metrics
from sinehil_pipeline.page.content import Content


@dataclass(frozen=True)
class PageRow:
    """A head, a remark below it, and one cell for each further column."""

    head: str
    cells: tuple[str, ...]
    remark: str = ""


@dataclass(frozen=True)
class PageTable:
    """``columns`` name the heads' column first."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[PageRow, ...]


def recipe_tables(recipe: Mapping[str, Any]) -> list[tuple[str, Facts]]:
    """Return the recipe's plain values, then each group of it, whatever fields it has."""
    plain = {key: value for key, value in recipe.items() if not isinstance(value, Mapping)}
    groups = {key: value for key, value in recipe.items() if isinstance(value, Mapping)}
    return [
        (_spaced(title), [(_spaced(key), value_text(value)) for key, value in group.items()])
        for title, group in [("in general", plain), *groups.items()]
    ]


def value_text(value: Any) -> str:
    """Return a recipe's value as people write it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{_spaced(key)} {value_text(item)}" for key, item in sorted(value.items()))
    if isinstance(value, list | tuple):
        return ", ".join(map(value_text, value)) or "none"
    return "none" if value is None else str(value)


def tries_table(content: Content) -> PageTable:
    """Return every initialisation that the quality gate saw."""
    limit = content.recipe.gate.max_val_mse
    rows = (
        PageRow(
            f"try {number}",
            (
                str(item.seed),
                f"{item.val_mse:.5f}",
                "accepted" if item.accepted else f"above {limit}, trained again",
            ),
        )
        for number, item in enumerate(content.final.tries, 1)
    )
    title = f"{content.final.name}: accepted from a validation mse of {limit} downwards"
    return PageTable(title, ("try", "seed", "validation mse", "the gate says"), tuple(rows))


def metrics_table(content: Content) -> PageTable:
    """Return errors of the four models on the test set."""
    results = content.results
    found = (
        results.baseline.metrics,
        results.final.metrics,
        results.float_metrics,
        results.quantized_metrics,
    )
    rows = (
        PageRow(model, tuple(f"{value:.5f}" for value in errors), form)
        for (model, form), errors in zip(content.forms_of_models, map(_errors, found), strict=True)
    )
    target = content.subject.target
    distance = () if target is None else (f"largest distance from {target.label}",)
    columns = ("model", "mse", "mae", "largest error", *distance)
    return PageTable(f"On the test set of {len(results.final.test_y)} samples", columns, tuple(rows))


def _errors(metrics: Metrics) -> tuple[float, ...]:
    to_target = metrics.max_abs_error_to_target
    return (metrics.mse, metrics.mae, metrics.max_abs_error, *(() if to_target is None else (to_target,)))


def tensors_table(model: QuantizedModel) -> PageTable:
    """Return scale, zero point and range of the codes before and after each layer."""
    first, *_ = model.layers
    rows = [_tensor_row("x", "input", first.input)]
    for number, layer in enumerate(model.layers, 1):
        name = "y" if number == len(model.layers) else f"layer {number}"
        rows.append(_tensor_row(name, "output", layer.output))
    columns = ("codes of", "scale", "zero point", "lowest", "highest")
    return PageTable("int8 codes: real = scale \u00d7 (code \u2212 zero point)", columns, tuple(rows))


def weights_table(model: QuantizedModel) -> PageTable:
    """Return shapes, scales and ranges of what each layer holds."""
    rows = (_weights_row(number, layer) for number, layer in enumerate(model.dense_layers, 1))
    columns = ("layer", "weights", "their scales", "their range", "biases' range")
    return PageTable("Weights (int8) and biases (int32)", columns, tuple(rows))


def weight_scales(model: QuantizedModel) -> Facts:
    """Return every weight scale of every layer, by neuron."""
    return [
        (f"layer {number}", ", ".join(map(float32_text, layer.weight_scales)))
        for number, layer in enumerate(model.dense_layers, 1)
    ]


def sizes_table(content: Content) -> PageTable:
    """Return the bytes of every form the model takes, and how far the files are from the target or the float model."""
    curves, files, subject = content.curves, content.files, content.subject
    float_bytes = files[manifest.FLOAT_MODEL].bytes
    float_error = None if subject.target is None else float(np.abs(curves.lite - curves.reference).max())
    array, source = files[manifest.C_ARRAY].bytes, content.kernel.source.encode()

    def row(head: str, remark: str, size: int, error: float | None = None) -> PageRow:
        distance = "" if error is None else number_text(error, 3)
        return PageRow(head, (f"{size:,}", f"{100 * size / float_bytes:.0f} %", distance), remark)

    rows = [row("float32 .tflite", manifest.FLOAT_MODEL, float_bytes, float_error)]
    for item in content.variants:
        ends = "float32 in and out" if item.form.io == "float" else "int8 in and out"
        scales = "per channel" if item.form.granularity == "per_channel" else "per tensor"
        is_ours = item.form == content.recipe.quantization
        remark = manifest.QUANTIZED_MODEL if is_ours else "converted for this table only"
        rows.append(row(f"int8 .tflite, {ends}, {scales}", remark, item.bytes, item.max_distance))
    rows += [
        row("C array, as text", manifest.C_ARRAY, array),
        row("generated kernel, as C text", "what sinehil compile makes of the int8 file", len(source)),
        row("its tables in flash", "weights, biases, requantisation", content.kernel.constant_bytes),
    ]
    columns = (
        "form of the model",
        "bytes",
        "of the float32 file",
        f"largest distance from {subject.reference}",
    )
    return PageTable(f"{content.final.name}, form by form", columns, tuple(rows))


def files_table(content: Content) -> list[tuple[str, str, str]]:
    """Return name, bytes and sha256 of every artefact."""
    return [(name, f"{entry.bytes:,}", entry.sha256) for name, entry in sorted(content.files.items())]


def _tensor_row(name: str, remark: str, quantization: Quantization) -> PageRow:
    scale, zero_point = float(quantization.scale), int(quantization.zero_point)
    low, high = (number_text(scale * (code - zero_point), 4) for code in (-128, 127))
    return PageRow(name, (float32_text(quantization.scale), str(zero_point), low, high), remark)


def _weights_row(number: int, layer: FullyConnected) -> PageRow:
    outputs, inputs = layer.weights.shape
    scales = np.unique(layer.weight_scales)
    real = layer.weights.astype(np.float64) * layer.weight_scales[:, None].astype(np.float64)
    bias_scales = layer.weight_scales.astype(np.float64) * float(layer.input.scale)
    biases = layer.bias.astype(np.float64) * bias_scales
    cells = (
        f"{inputs} → {outputs}",
        f"{layer.weight_scales.size} from {scales[0]:.3g} to {scales[-1]:.3g}"
        if len(scales) > 1
        else float32_text(scales[0]),
        _range(real.ravel()),
        _range(biases),
    )
    return PageRow(f"layer {number}", cells, "" if layer.activation == "NONE" else layer.activation.lower())


def _range(values: Sequence[float] | np.ndarray[Any, np.dtype[Any]]) -> str:
    ends = [number_text(float(value), 3) for value in (np.min(values), np.max(values))]
    return " to ".join(dict.fromkeys(ends))


def _spaced(key: object) -> str:
    return str(key).replace("_", " ")
