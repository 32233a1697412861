"""From a model to the kernel that was asked for."""

from collections.abc import Callable, Mapping

from sinehil.errors import UsageError
from sinehil.model.tflite import QuantizedModel
from sinehil_kernels.generated import GeneratedKernel
from sinehil_kernels.portable.portable_kernel import generate_portable
from sinehil_kernels.size.size_kernel import generate_size
from sinehil_kernels.speed.speed_kernel import generate_speed
from sinehil_kernels.table.table_kernel import generate_table

Generator = Callable[[QuantizedModel, str], GeneratedKernel]
GENERATORS: Mapping[str, Generator] = {
    "portable": generate_portable,
    "size": generate_size,
    "speed": generate_speed,
    "table": generate_table,
}


def generate_kernel(
    model: QuantizedModel, oracle: str = "litert", optimize: str = "portable"
) -> GeneratedKernel:
    """Return the kernel for a model, proven equal to ``oracle``; the same model gives the same bytes.

    Raises UsageError for an unknown oracle or optimisation, ArtefactError for a model that it cannot have.
    """
    if optimize not in GENERATORS:
        raise UsageError(f"there is no kernel {optimize!r}", f"choose one of: {', '.join(GENERATORS)}")
    return GENERATORS[optimize](model, oracle)
