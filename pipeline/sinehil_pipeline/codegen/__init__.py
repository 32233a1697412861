"""From a quantised model to a C kernel that is proven equal to the oracle's interpreter."""

from sinehil_pipeline.codegen.check import check_kernel_on_host
from sinehil_pipeline.codegen.kernel import GeneratedKernel, generate_kernel

__all__ = ["GeneratedKernel", "check_kernel_on_host", "generate_kernel"]
