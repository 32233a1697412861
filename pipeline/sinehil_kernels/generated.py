"""What a kernel is: its source files, checksum and costs; as generated, and as proven."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sinehil.base.manifest import KERNEL
from sinehil.verify.result import Proof
from sinehil_kernels.avr.assembly import Program

C_FILE, ASSEMBLY_FILE, SHAPE_FILE = KERNEL, "sinehil_infer.S", "sinehil_shape.h"


@dataclass(frozen=True)
class Figures:
    """What an assembled kernel costs, counted while it ran on ``runs`` inputs: call and return not included.

    ``bound_cycles`` is the mean that no kernel of its kind can go below, where its generator counts one.
    ``wcet_cycles`` (worst-case execution time) is what no input exceeds, where not all of them were run and the kernel
    has no loop.
    """

    runs: int
    mean_cycles: float
    worst_cycles: int
    flash_bytes: int
    stack_bytes: int
    bound_cycles: float | None = None
    wcet_cycles: int | None = None


@dataclass(frozen=True)
class CompilerEstimate:
    """What a compiler for AVRs makes of a kernel in C, estimated: code beside the constants, and stack."""

    code_bytes: int
    tolerance_bytes: int  # of the code
    stack_bytes: int


@dataclass(frozen=True)
class Kernel:
    """``sources``: the files to put into the sketch, by name.

    ``weights_crc32`` is what the board must say of the constants in its flash, ``constant_bytes`` how many those are;
    ``core_bytes`` of flash are what the layers take, code and constants (in C the code is estimated). ``figures`` are
    the costs of one in assembly, ``compiled`` the estimate of one in C.
    """

    engine: str
    oracle: str
    model_sha256: str
    sources: Mapping[str, str]
    weights_crc32: int
    constant_bytes: int
    core_bytes: int
    figures: Figures | None = None
    compiled: CompilerEstimate | None = None

    @property
    def source(self) -> str:
        """The C file."""
        return self.sources[C_FILE]

    @property
    def stack_bytes(self) -> int:
        """Bytes of stack that the layers take; in C estimated."""
        if self.figures is not None:
            return self.figures.stack_bytes
        return self.compiled.stack_bytes if self.compiled else 0


@dataclass(frozen=True)
class GeneratedKernel(Kernel):
    """A kernel as its generator made it; ``program`` is the assembled ``sinehil_infer``, None where it is in C."""

    program: Program | None = None


@dataclass(frozen=True)
class ProvenKernel(Kernel):
    """A kernel that equalled its oracle's interpreter on this machine, and what its generator proved of it."""

    proof: Proof = field(kw_only=True)
