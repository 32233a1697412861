"""The instructions of each neuron on an interval, run where they stand on all points of its proof.

The proof is about formulas, and samples seldom meet a step. Here the assembly itself is asked about both sides of every
step and both ends, with the registers that it has in the kernel.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sinehil.errors import ToolError
from sinehil_pipeline.codegen.avr.assembly import Program
from sinehil_pipeline.codegen.avr.machine import Machine
from sinehil_pipeline.codegen.speed.plan import PlannedNeuron
from sinehil_pipeline.codegen.speed.registers import ZERO, Registers


@dataclass(frozen=True)
class EmittedNeuron:
    """A requantisation in the program: from the label ``start``, with u in ``u``, to ``end`` with the byte in ``byte``.

    ``rests``: where a neuron at rest goes instead, if that is somewhere else.
    """

    made: PlannedNeuron
    u: Registers
    byte: str
    start: str
    end: str
    rests: str


def try_points(program: Program, neurons: Sequence[EmittedNeuron]) -> int:
    """Return on how many points the neurons' instructions were run; ToolError if they are wrong on one."""
    machine = Machine(program)
    for each in neurons:
        neuron = each.made.neuron
        points = zip(neuron.accumulators.tolist(), neuron.wanted.tolist(), strict=True)
        wrong = sum(_byte(machine, program, each, accumulator) != byte for accumulator, byte in points)
        if wrong:
            raise ToolError(
                f"the assembly of neuron {neuron.number} differs from its plan on {wrong} points of its proof",
                "this is a bug of sinehil: please report it",
            )
    return sum(len(each.made.neuron.accumulators) for each in neurons)


def _byte(machine: Machine, program: Program, neuron: EmittedNeuron, accumulator: int) -> int:
    machine.reset()
    u = accumulator - neuron.made.form.offset
    for index, register in enumerate(neuron.u):
        machine.registers[_number(register)] = u >> 8 * index & 0xFF
    machine.registers[_number(ZERO)] = 0
    end = program.labels[neuron.end]
    at = machine.run(program.labels[neuron.start], (end, program.labels[neuron.rests]))
    return machine.registers[_number(neuron.byte)] if at == end else 0


def _number(register: str) -> int:
    return int(register.removeprefix("r"))
