"""A generated kernel, whichever way it was made."""

from collections.abc import Mapping
from dataclasses import dataclass

from sinehil.base.manifest import KERNEL
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
class Compiled:
    """What a compiler for AVRs makes of a kernel in C, estimated: code beside the constants, and stack."""

    code_bytes: int
    tolerance_bytes: int  # of the code
    stack_bytes: int


@dataclass(frozen=True)
class GeneratedKernel:
    """``sources``: the files to put into the sketch, by name.

    ``weights_crc32`` is what the board must say of the constants in its flash, ``constant_bytes`` how many those
    are. ``program`` is the assembled ``sinehil_infer`` where it is written in assembly, ``figures`` its costs;
    ``compiled`` is the estimate where it is in C.
    """

    engine: str
    oracle: str
    model_sha256: str
    sources: Mapping[str, str]
    weights_crc32: int
    constant_bytes: int
    program: Program | None = None
    figures: Figures | None = None
    compiled: Compiled | None = None

    @property
    def source(self) -> str:
        """The C file."""
        return self.sources[C_FILE]

    @property
    def core_bytes(self) -> int:
        """Bytes of flash that the layers take, code and constants; in C the code is estimated."""
        if self.program is not None:
            return len(self.program.image)
        return self.constant_bytes + (self.compiled.code_bytes if self.compiled else 0)

    @property
    def stack_bytes(self) -> int:
        """Bytes of stack that the layers take; in C estimated."""
        if self.figures is not None:
            return self.figures.stack_bytes
        return self.compiled.stack_bytes if self.compiled else 0
