"""Data that the training page is rendered from."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from sinehil.base.manifest import FileEntry
from sinehil.model.tflite import QuantizedModel
from sinehil_kernels import Kernel
from sinehil_pipeline.config import Recipe
from sinehil_pipeline.conversion.evaluation import Evaluation
from sinehil_pipeline.conversion.quantization_variants import MeasuredVariant
from sinehil_pipeline.data.samples import Dataset, make_dataset
from sinehil_pipeline.page.plot_subject import PlotSubject, plot_subject
from sinehil_pipeline.training.curves import Curves, drawable, fixed_order_y, grid_x, target_y
from sinehil_pipeline.training.jobs import Trained


@dataclass(frozen=True)
class Content:
    """One finished run; ``files`` are all other artefacts but the manifest."""

    recipe: Recipe
    trainer: str
    baseline: Trained
    final: Trained
    results: Evaluation
    quantized: QuantizedModel
    variants: tuple[MeasuredVariant, ...]
    kernel: Kernel
    files: Mapping[str, FileEntry]

    @cached_property
    def data(self) -> Dataset:
        """The samples."""
        return make_dataset(self.recipe)

    @cached_property
    def subject(self) -> PlotSubject:
        """The target, if there is one, and the range of x."""
        return plot_subject(self.recipe)

    @property
    def forms_of_models(self) -> tuple[tuple[str, str], ...]:
        """Model and form of the four that make predictions, in the order of tables and legends."""
        baseline, final = self.baseline.name, self.final.name
        return (
            (baseline, "Keras"),
            (final, "Keras"),
            (final, "LiteRT float32"),
            (final, "LiteRT int8"),
        )

    @cached_property
    def curves(self) -> Curves:
        """The four models' predictions over the page's grid."""
        x, results, target = grid_x(self.recipe), self.results, self.subject.target
        pairs = ((self.baseline, self.recipe.baseline), (self.final, self.recipe.final))
        baseline, final = (fixed_order_y(model.weights, x, recipe.activation) for model, recipe in pairs)
        return Curves(
            x=x.astype(float),
            target=None if target is None else target_y(target, x),
            baseline=drawable(results.baseline.grid_y, baseline),
            final=drawable(results.final.grid_y, final),
            lite=drawable(results.float_grid_y, final),
            quantized=results.quantized_grid_y.astype(float),
        )
