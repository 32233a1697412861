"""Render the training page to HTML from its tables and figures."""

from sinehil.report.html_parts import Facts, Tile, render
from sinehil.report.number_text import number_text
from sinehil_pipeline.page import page_figures, page_tables
from sinehil_pipeline.page.content import Content

PACKAGE = "sinehil_pipeline.page"
SHEETS = ("report.css", "training.css")
SHORT_SHA = 12


def page_html(content: Content) -> str:
    """Return the page. Equal content gives equal bytes on every CPU; every string from outside is escaped."""
    final = content.final
    return render(
        "training.html.j2",
        PACKAGE,
        SHEETS,
        headline=_headline(content),
        subject=content.subject.learned,
        recipe_name=str(content.recipe.name),
        trainer=content.trainer,
        sha256=content.quantized.sha256[:SHORT_SHA],
        tiles=_tiles(content),
        recipe=page_tables.recipe_tables(content.recipe.as_dict()),
        data=[page_figures.data_figure(content)],
        summaries=_summaries(content),
        learning=[
            *page_figures.learning_figures(content.baseline, "baseline"),
            *page_figures.learning_figures(final, "final"),
        ],
        tries=page_tables.tries_table(content),
        metrics=page_tables.metrics_table(content),
        every_x=_every_x(content),
        predictions=[
            page_figures.prediction_figure(content),
            *page_figures.error_figures(content),
        ],
        quantization=[
            page_tables.tensors_table(content.quantized),
            page_tables.weights_table(content.quantized),
        ],
        weight_scales=page_tables.weight_scales(content.quantized),
        sizes=page_tables.sizes_table(content),
        files=page_tables.files_table(content),
        versions=_versions(content),
    )


def _headline(content: Content) -> str:
    tries, most = len(content.final.tries), content.recipe.gate.max_tries
    return f"{content.final.name} from seed {content.final.seed}, accepted in try {tries} of at most {most}"


def _every_x(content: Content) -> str:
    """Return the sentence on all x, not just those of the test set; empty where no target is known."""
    found, target = content.results.every_x, content.subject.target
    if found is None or target is None:
        return ""
    return (
        f"Over every x in {target.range_label} the int8 model is at most "
        f"{number_text(found.max_abs_error, 3)} from {target.label}. With the scales it has, one y for all x of an "
        f"input code and 256 values of y, no model could come nearer than {number_text(found.floor, 3)}."
    )


def _distance_tile(content: Content) -> Tile:
    name = f"largest distance of int8 from {content.subject.reference}"
    if (found := content.results.every_x) is not None:
        floor = f"of {number_text(found.floor, 3)} at best"
        return Tile(f"{name}, over every x", number_text(found.max_abs_error, 3), floor)
    worst = float(abs(content.curves.quantized - content.curves.reference).max())
    return Tile(name, number_text(worst, 3), "")


def _tiles(content: Content) -> list[Tile]:
    return [
        Tile("validation mse, at the gate", f"{content.final.tries[-1].val_mse:.4f}", ""),
        Tile("test mse as int8", f"{content.results.quantized_metrics.mse:.4f}", ""),
        _distance_tile(content),
        Tile("int8 .tflite", f"{len(content.quantized.data):,}", "bytes"),
        Tile("float32 .tflite", f"{len(content.results.files.float):,}", "bytes"),
        Tile("kernel's tables in flash", f"{content.kernel.constant_bytes:,}", "bytes"),
    ]


def _summaries(content: Content) -> list[tuple[str, list[str]]]:
    """Return each model's name and the lines of its table."""
    models = (content.results.baseline, content.results.final)
    return [(model.name, model.summary.splitlines()) for model in models]


def _versions(content: Content) -> Facts:
    return sorted(content.results.versions.items())
