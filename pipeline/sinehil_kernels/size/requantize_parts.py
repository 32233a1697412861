"""What the requantisations of all forms have in common."""

from collections.abc import Sequence
from dataclasses import dataclass

from sinehil_kernels.avr.assembly import Assembly

UNROLLED_SHIFTS, UNROLLED_SHORT_SHIFTS = 2, 3  # of three registers, of two
CEILING = "beyond a byte: the highest code"


@dataclass(frozen=True)
class Registers:
    """``weight``, ``stored`` and X (r26:27) are free between the sum and the next neuron."""

    end: str
    count: str
    sums: tuple[str, ...]
    weight: str
    stored: str
    spare: str
    result: str


def most_flat(registers: Sequence[str]) -> int:
    """Return how many shifts of them are written one after the other, since a loop would take more bytes."""
    return UNROLLED_SHIFTS if registers[2:] else UNROLLED_SHORT_SHIFTS


def shift_left(kernel: Assembly, count: int, registers: tuple[str, ...], counter: str, *, flat: bool) -> None:
    """Shift left ``count`` times, the lowest byte first; by a loop where that is smaller, unless ``flat``."""
    first, *others = registers
    looped = not flat and count > most_flat(registers)
    label = kernel.new_label("shift")
    if looped:
        kernel.op("ldi", counter, count)
        kernel.label(label)
    for _ in range(1 if looped else count):
        kernel.op("lsl", first)
        for name in others:
            kernel.op("rol", name)
    if looped:
        kernel.op("dec", counter)
        kernel.op("brne", label)


def corrections(kernel: Assembly, r: Registers, count: str) -> None:
    """Add what the stream says for sums from some on; it says as much for every input."""
    other = r.spare or r.stored
    kernel.op("lpm", count, "Z+", note="corrections")
    kernel.op("rjmp", "corrected")
    kernel.label("correction")
    compare(kernel, r.sums, other)
    kernel.op("lpm", other, "Z+")
    skip(kernel, "brcs", "add", r.result, other, note="for sums from here on")
    kernel.label("corrected")
    kernel.op("subi", count, 1)
    kernel.op("brcc", "correction")


def compare(kernel: Assembly, sums: tuple[str, ...], other: str) -> None:
    """Compare the sum with the stream's next bytes."""
    for place, name in enumerate(sums):
        kernel.op("lpm", other, "Z+")
        kernel.op("cpc" if place else "cp", name, other)


def skip(kernel: Assembly, branch: str, mnemonic: str, *operands: str | int, note: str = "") -> None:
    """Do one instruction unless ``branch`` is taken; as many cycles either way."""
    over = kernel.new_label("over")
    kernel.op(branch, over)
    kernel.op(mnemonic, *operands, note=note)
    kernel.label(over)
