"""Generate the kernel in plain C, for every board."""

import zlib

from sinehil.model.tflite import QuantizedModel
from sinehil_kernels.c_parts import float_constants, identity_bytes, shape
from sinehil_kernels.generated import C_FILE, GeneratedKernel
from sinehil_kernels.portable.cost import estimate_compiled
from sinehil_kernels.portable.emit import emit_c
from sinehil_kernels.portable.layer_plan import plan_layers
from sinehil_kernels.portable.tables import kernel_tables
from sinehil_kernels.value_ranges import value_ranges

ENGINE = "portable"


def generate_portable(model: QuantizedModel, oracle: str) -> GeneratedKernel:
    """Return the kernel, proven over every accumulator that can occur; the same model gives the same bytes.

    Raises UsageError for an unknown oracle, ArtefactError where 32 bits do not hold what is summed.
    """
    plans = plan_layers(value_ranges(model, oracle), oracle)
    floats = float_constants(model, oracle)
    tables = [table.values for table in kernel_tables(plans)]
    content = b"".join(table.astype(table.dtype.newbyteorder("<")).tobytes() for table in [*tables, floats])
    constant_bytes, estimate = sum(table.nbytes for table in tables), estimate_compiled(plans, oracle)
    return GeneratedKernel(
        engine=ENGINE,
        oracle=oracle,
        model_sha256=model.sha256,
        sources={**shape(model), C_FILE: emit_c(model, oracle, ENGINE, plans)},
        weights_crc32=zlib.crc32(identity_bytes(model, oracle, ENGINE) + content),
        constant_bytes=constant_bytes,
        core_bytes=constant_bytes + estimate.code_bytes,
        compiled=estimate,
    )
