"""From a model to its kernel in plain C."""

import zlib

from sinehil.tflite_model import QuantizedModel
from sinehil_pipeline.codegen.c_parts import shape
from sinehil_pipeline.codegen.generated import C_FILE, GeneratedKernel
from sinehil_pipeline.codegen.identity import float_constants, identity_bytes
from sinehil_pipeline.codegen.portable.cost import compiled
from sinehil_pipeline.codegen.portable.emit import emit_c
from sinehil_pipeline.codegen.portable.plan import plan_layers
from sinehil_pipeline.codegen.portable.tables import kernel_tables
from sinehil_pipeline.codegen.reach import reach

ENGINE = "portable"


def generate_portable(model: QuantizedModel, oracle: str) -> GeneratedKernel:
    """Return the kernel, proven over everything that can reach each neuron; the same model gives the same bytes.

    Raises UsageError for an unknown oracle, ArtefactError where 32 bits do not hold what is summed.
    """
    plans = plan_layers(reach(model, oracle), oracle)
    floats = float_constants(model, oracle)
    tables = [table.values for table in kernel_tables(plans)]
    content = b"".join(table.astype(table.dtype.newbyteorder("<")).tobytes() for table in [*tables, floats])
    return GeneratedKernel(
        engine=ENGINE,
        oracle=oracle,
        model_sha256=model.sha256,
        sources={**shape(model), C_FILE: emit_c(model, oracle, ENGINE, plans)},
        weights_crc32=zlib.crc32(identity_bytes(model, oracle, ENGINE) + content),
        constant_bytes=sum(table.nbytes for table in tables),
        compiled=compiled(plans, oracle),
    )
