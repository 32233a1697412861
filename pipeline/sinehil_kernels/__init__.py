"""Generate a kernel from a quantised model, in C or AVR assembly, proven equal to the oracle's interpreter."""

from sinehil_kernels.choice import choose_kernel
from sinehil_kernels.generated import GeneratedKernel, Kernel, ProvenKernel
from sinehil_kernels.kernel import KINDS, generate_kernel, proven_kernel

__all__ = [
    "KINDS",
    "GeneratedKernel",
    "Kernel",
    "ProvenKernel",
    "choose_kernel",
    "generate_kernel",
    "proven_kernel",
]
