"""Types of the mutants audit: what is wrong with a kernel, the bytes it changes, and which checks noticed."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import StrEnum

from sinehil_kernels import GeneratedKernel


class MutantKind(StrEnum):
    """What is wrong with a mutant, in the order of the tables."""

    WEIGHTS = "weights"
    BIASES = "biases"
    REQUANTISATION = "requantisation"
    TABLES = "tables"
    IMMEDIATES = "constants in instructions"
    COUNTS = "layer sizes"
    INSTRUCTIONS = "other bits of instructions"
    ADDRESS = "address that the linker fills in"
    SCALES = "float scales"
    ULP = "a scale 1 ulp off"
    SWAPPED = "swapped neurons"
    LOOP = "a loop off by one"
    ROUNDING = "a wrong rounding"
    ORACLE = "another oracle's kernel"


# Single bits of what lies in flash; the checksum covers all but what the linker fills in.
FLIPS = (
    *(
        MutantKind.WEIGHTS,
        MutantKind.BIASES,
        MutantKind.REQUANTISATION,
        MutantKind.TABLES,
        MutantKind.IMMEDIATES,
        MutantKind.COUNTS,
    ),
    *(MutantKind.INSTRUCTIONS, MutantKind.SCALES),
)
CODE = "sinehil_kernel_code"


@dataclass(frozen=True)
class Patch:
    """New bytes at an offset of a constant, by its name in C; of a kernel in assembly, ``CODE`` is all of it."""

    symbol: str
    offset: int
    new: bytes


@dataclass(frozen=True)
class Mutant:
    """Patches of the kernel's constants; or, where these do not do, what makes another kernel."""

    kind: MutantKind
    name: str
    patches: tuple[Patch, ...] = ()
    make: Callable[[], GeneratedKernel] | None = None


@dataclass(frozen=True)
class MutantOutcome:
    """Who noticed a mutant.

    ``breaks_out``: it does not come back as a function must, so it has no outputs to compare; on a board that is
    silence. ``visible``: some output differs from the interpreter's. ``identity``: the checksum that the board computes
    differs. The others: verify, and the checks of others, with an identity that is forged to look right.
    """

    breaks_out: bool
    visible: bool
    identity: bool
    exhaustive: bool
    test_set: bool
    codes: bool
    twenty: bool
    four: bool

    def as_number(self) -> int:
        """Return one bit for each field, the first one lowest."""
        return sum(bool(getattr(self, item.name)) << at for at, item in enumerate(fields(self)))

    @classmethod
    def of_number(cls, number: int) -> "MutantOutcome":
        """Return the outcome behind ``as_number``."""
        return cls(*(bool(number >> at & 1) for at in range(len(fields(cls)))))
