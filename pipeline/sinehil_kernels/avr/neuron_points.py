"""Run the instructions of each neuron, where they stand in the kernel, on all points of its proof.

The proof is about formulas, and samples seldom meet a step. Here the assembly itself is asked about both sides of every
step and both ends, with the registers that it has in the kernel.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sinehil.errors import ToolError
from sinehil.model.arrays import Int64s
from sinehil_kernels.avr.assembly import Program
from sinehil_kernels.avr.isa import register_number
from sinehil_kernels.avr.machine import Machine


@dataclass(frozen=True)
class PlacedNeuron:
    """A requantisation in the program: from the label ``start``, with a sum, to ``end``, with a byte in ``byte``.

    ``sums`` [n] are the proof's points as they lie in ``sum_in``, lowest byte first; ``wanted`` [n] the bytes that
    must come out. ``inactive``: where an inactive neuron goes instead of leaving 0, if that is somewhere else.
    ``given``: what the other registers that it reads hold; ``t``: the flag.
    """

    number: int
    sums: Int64s
    wanted: Int64s
    sum_in: Sequence[str]
    byte: str
    start: str
    end: str
    inactive: str = ""
    given: Mapping[str, int] = field(default_factory=dict)
    t: bool = False


def try_points(program: Program, neurons: Sequence[PlacedNeuron]) -> int:
    """Return on how many points the neurons' instructions were run; ToolError if they are wrong on one."""
    machine = Machine(program)
    for neuron in neurons:
        points = zip(neuron.sums.tolist(), neuron.wanted.tolist(), strict=True)
        wrong = sum(_byte(machine, program, neuron, value) != byte for value, byte in points)
        if wrong:
            raise ToolError(
                f"the assembly of neuron {neuron.number} differs from its plan on {wrong} points of its proof",
                "this is a bug of sinehil: please report it",
            )
    return sum(len(neuron.sums) for neuron in neurons)


def _byte(machine: Machine, program: Program, neuron: PlacedNeuron, value: int) -> int:
    machine.reset()
    machine.t = int(neuron.t)
    parts = {register: value >> 8 * index & 0xFF for index, register in enumerate(neuron.sum_in)}
    for register, byte in {**neuron.given, **parts}.items():
        machine.registers[register_number(register)] = byte
    start, end, inactive = (
        program.labels[name] for name in (neuron.start, neuron.end, neuron.inactive or neuron.end)
    )
    at = machine.run(start, (end, inactive))
    return machine.registers[register_number(neuron.byte)] if at == end else 0
