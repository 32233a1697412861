"""Input bytes that stay in registers while one neuron after the other is computed.

An input whose weights are signed bytes, with sums of two bytes, is multiplied as it is, by MULS; any other is 128 more
and unsigned, which takes a cycle to make. A sum begins with a product where one can be moved there: its bias is added
to it then, which takes a cycle less than to begin with the bias.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sinehil_kernels.avr.assembly import Assembly
from sinehil_kernels.speed.comments import bias_words, weight_words
from sinehil_kernels.speed.folded_network import LOWEST_CODE
from sinehil_kernels.speed.lookup import Lookup
from sinehil_kernels.speed.products import multiply_add
from sinehil_kernels.speed.registers import BYTE, FACTOR, LOW, Registers, is_upper, load
from sinehil_kernels.speed.stage_plan import PlannedNeuron

LARGEST_SIGNED, LARGEST_UNSIGNED = 127, 254  # 255 is 256 less 1


@dataclass(frozen=True)
class KeptInputs:
    """``registers``: one an input; ``signed``: whether it holds the code, else the code + 128 or its table's entry."""

    registers: Registers
    signed: tuple[bool, ...]

    @classmethod
    def of(cls, neurons: Sequence[PlannedNeuron], registers: Registers, *, has_table: bool) -> "KeptInputs":
        """Return which of the inputs can be signed."""
        narrow = not has_table and all(made.form.width == 2 for made in neurons)
        weights = zip(*(made.neuron.weights for made in neurons), strict=True)
        signed = (
            narrow and is_upper(register) and all(map(_is_signed_factor, of_input))
            for register, of_input in zip(registers, weights, strict=True)
        )
        return cls(registers, tuple(signed))

    def load(
        self, assembly: Assembly, pointer: str, lookup: Lookup | None, busy: Sequence[str]
    ) -> list[tuple[str, str]]:
        """Fetch the inputs behind a pointer; return what is to be moved, to which register and from where.

        ``busy``: registers that are free only then, of which the inputs have one at most.
        """
        late = []
        for number, (register, signed) in enumerate(zip(self.registers, self.signed, strict=True)):
            at = BYTE if register in busy else register if is_upper(register) else LOW
            assembly.op("ld", at, f"{pointer}+", note=f"source {number}")
            if not signed:
                assembly.op("subi", at, 128)
            if lookup is not None:
                lookup.emit(assembly, at, LOWEST_CODE)
            if register in busy:
                late.append((register, at))
            elif at != register:
                assembly.op("mov", register, at)
        return late

    def accumulate(self, assembly: Assembly, layer: int, made: PlannedNeuron, sum_: Registers) -> None:
        """Let the registers be a neuron's accumulator less its offset; clobbers r0, r1 and FACTOR."""
        numbers = [number for number, weight in enumerate(made.neuron.weights) if weight]
        bias = made.neuron.bias - made.form.offset
        bias += 128 * sum(made.neuron.weights[number] for number in numbers if self.signed[number])
        first = next(filter(lambda number: self._can_begin(made, number), numbers), None)
        if first is None or len(sum_) != 2 or not is_upper(sum_[0]):
            load(assembly, sum_, bias, bias_words(layer, made))
        else:
            numbers.remove(first)
            self._begin(assembly, layer, made, first, bias, sum_)
        for number in numbers:
            self._add(assembly, made, number, sum_)

    def _can_begin(self, made: PlannedNeuron, number: int) -> bool:
        weight = made.neuron.weights[number]
        return self.signed[number] or 2 < weight <= LARGEST_UNSIGNED

    def _begin(
        self, assembly: Assembly, layer: int, made: PlannedNeuron, number: int, bias: int, sum_: Registers
    ) -> None:
        self._multiply(assembly, made, number)
        assembly.op("movw", sum_[0], "r0", note=weight_words(made, number))
        assembly.op("subi", sum_[0], -bias & 0xFF, note=bias_words(layer, made))
        assembly.op("sbci", sum_[1], -bias >> 8 & 0xFF)

    def _multiply(self, assembly: Assembly, made: PlannedNeuron, number: int) -> None:
        assembly.op("ldi", FACTOR, made.neuron.weights[number] & 0xFF)
        assembly.op("muls" if self.signed[number] else "mul", self.registers[number], FACTOR)

    def _add(self, assembly: Assembly, made: PlannedNeuron, number: int, sum_: Registers) -> None:
        if not self.signed[number]:
            term = (made.neuron.weights[number], sum_, weight_words(made, number))
            multiply_add(assembly, self.registers[number], [term])
            return
        self._multiply(assembly, made, number)
        assembly.op("add", sum_[0], "r0", note=weight_words(made, number))
        assembly.op("adc", sum_[1], "r1")


def _is_signed_factor(weight: int) -> bool:
    return weight == 0 or 2 < abs(weight) <= LARGEST_SIGNED
