"""From a quantised model to a C kernel that is proven equal to the oracle's interpreter."""

from sinehil_pipeline.codegen.check import check_kernel
from sinehil_pipeline.codegen.choice import choose_kernel
from sinehil_pipeline.codegen.generated import GeneratedKernel
from sinehil_pipeline.codegen.kernel import generate_kernel

__all__ = ["GeneratedKernel", "check_kernel", "choose_kernel", "generate_kernel"]
