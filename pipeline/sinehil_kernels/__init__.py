"""From a quantised model to a C kernel that is proven equal to the oracle's interpreter."""

from sinehil_kernels.check import check_kernel
from sinehil_kernels.choice import choose_kernel
from sinehil_kernels.generated import GeneratedKernel
from sinehil_kernels.kernel import generate_kernel

__all__ = ["GeneratedKernel", "check_kernel", "choose_kernel", "generate_kernel"]
