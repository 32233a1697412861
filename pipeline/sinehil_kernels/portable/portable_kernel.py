"""Generate the kernel in plain C, for every board; its file names its generator and its source's hash."""

import zlib

from sinehil.model.tflite import QuantizedModel
from sinehil_kernels.c_parts import checksum, float_constants, float_ends, head, identity_bytes, shape
from sinehil_kernels.generated import C_FILE, GeneratedKernel
from sinehil_kernels.portable.cost import estimate_compiled
from sinehil_kernels.portable.layer import emit_layer
from sinehil_kernels.portable.layer_plan import LayerPlan, plan_layers
from sinehil_kernels.portable.oracle_requantization import C_TEXTS
from sinehil_kernels.portable.tables import input_tables, kernel_tables
from sinehil_kernels.value_ranges import value_ranges

ENGINE = "portable"

ABOUT = """
/* Between the layers a code is u = code - the lowest that its layer's activation allows (behind tables, code + 128):
 * one unsigned byte. t is a neuron's sum as its form takes it, accumulator - base; in bias are base, zero points and
 * inputs that never change.
 */
"""

INFER = """
void sinehil_infer(const int8_t *x_q, int8_t *y_q) {{
  uint8_t a[{width}], b[{width}];
  for (uint8_t i = 0; i < {inputs}; ++i) a[i] = {u};
{calls}
  for (uint8_t j = 0; j < {outputs}; ++j) y_q[j] = (int8_t)({result}[j] + ({origin}));
}}
"""


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
        sources={**shape(model), C_FILE: _c_file(model, oracle, ENGINE, plans)},
        weights_crc32=zlib.crc32(identity_bytes(model, oracle, ENGINE) + content),
        constant_bytes=constant_bytes,
        core_bytes=constant_bytes + estimate.code_bytes,
        compiled=estimate,
    )


def _c_file(model: QuantizedModel, oracle: str, engine: str, plans: list[LayerPlan]) -> str:
    """Return the text of sinehil_kernel.c."""
    numbered = list(enumerate(plans, 1))
    parts = (
        head(model, oracle, engine),
        ABOUT,
        C_TEXTS[oracle] if any(plan.has_oracle_form for plan in plans) else "",
        *(f"\n{table.definition()}" for table in input_tables(plans[0])),
        *(emit_layer(number, plan) for number, plan in numbered),
        _infer(model, plans),
        float_ends(model, oracle),
        checksum([(table.name, f"sizeof {table.name}") for table in kernel_tables(plans)]),
    )
    return "".join(parts)


def _infer(model: QuantizedModel, plans: list[LayerPlan]) -> str:
    code = "(uint8_t)(x_q[i] + 128)"
    return INFER.format(
        u=next((table.read(code) for table in input_tables(plans[0])), code),
        width=max(max(plan.weights.shape) for plan in plans),
        inputs=model.inputs,
        outputs=model.outputs,
        calls="\n".join(
            f"  layer_{n}({'ab'[(n - 1) % 2]}, {'ab'[n % 2]});" for n in range(1, len(plans) + 1)
        ),
        result="ab"[len(plans) % 2],
        origin=plans[-1].origin,
    )
