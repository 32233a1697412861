"""A table behind a layer: byte to byte."""

from dataclasses import dataclass

from sinehil_kernels.avr.assembly import Assembly
from sinehil_kernels.speed.registers import ZERO, Z


@dataclass(frozen=True)
class Lookup:
    """``entries``: code less ``base``, for the raw codes from ``lowest`` on; ``label``: its place in the program."""

    label: str
    lowest: int
    base: int
    entries: bytes

    def emit(self, assembly: Assembly, byte: str, base: int) -> None:
        """Replace the byte (code - base) by its entry; clobbers Z."""
        if base != self.lowest:
            assembly.op("subi", byte, self.lowest - base & 0xFF)
        assembly.op("ldi", Z[0], f"lo8({self.label})")
        assembly.op("ldi", Z[1], f"hi8({self.label})")
        assembly.op("add", Z[0], byte)
        assembly.op("adc", Z[1], ZERO)
        assembly.op("lpm", byte, "Z")

    def place(self, assembly: Assembly) -> None:
        """Write the table behind the code."""
        assembly.label(self.label)
        assembly.data(self.entries)
