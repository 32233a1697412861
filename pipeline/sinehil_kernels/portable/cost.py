"""Estimate the code size and stack that avr-gcc makes of a kernel in C.

Fitted to what avr-gcc 5.4 made of 54 kernels; CODE_TOLERANCE_BYTES is more than any was off.
tests/kernels/test_memory_estimate.py compiles some and holds the estimate against them.
"""

from collections.abc import Sequence

from sinehil_kernels.generated import CompilerEstimate
from sinehil_kernels.portable.layer_plan import LayerPlan

CODE_TOLERANCE_BYTES = 200
KERNEL_BYTES = 80
NARROW_BYTES, WIDE_BYTES = 200, 160  # a layer, by its sums
LINE_BYTES, DROP_BYTES = 95, 120  # more for lines in 32 bits, and for those with a 64-bit product
PRODUCT_BYTES = 290  # the compiler's 64-bit multiplication, once
ORACLE_FORM_BYTES = 180  # a layer with a neuron computed by the oracle's own arithmetic
ORACLE_CODE_BYTES = {"litert": 100, "litert-ref": 250, "tflm": 640}  # that arithmetic, once
STACK_BYTES = 50  # beside the two buffers: registers, addresses


def estimate_compiled(plans: Sequence[LayerPlan], oracle: str) -> CompilerEstimate:
    """Return code and stack of a kernel with these plans."""
    code = KERNEL_BYTES + sum(map(_layer_bytes, plans))
    code += PRODUCT_BYTES if any(_has_long_products(plan) for plan in plans) else 0
    code += ORACLE_CODE_BYTES[oracle] if any(plan.has_oracle_form for plan in plans) else 0
    width = max(max(plan.weights.shape) for plan in plans)
    return CompilerEstimate(code, CODE_TOLERANCE_BYTES, 2 * width + STACK_BYTES)


def _layer_bytes(plan: LayerPlan) -> int:
    lines = DROP_BYTES if _has_long_products(plan) else LINE_BYTES if plan.scheme.bits == 32 else 0
    return (
        (NARROW_BYTES if plan.narrow else WIDE_BYTES)
        + lines
        + (ORACLE_FORM_BYTES if plan.has_oracle_form else 0)
    )


def _has_long_products(plan: LayerPlan) -> bool:
    return plan.scheme.bits == 32 and plan.scheme.drop > 0
