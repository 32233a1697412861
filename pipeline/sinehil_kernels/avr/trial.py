"""Run an assembled kernel on each input once, and hold its codes against the plan."""

from collections.abc import Sequence

import numpy as np

from sinehil.errors import ToolError
from sinehil.model.arrays import Int64s
from sinehil.model.tflite import QuantizedModel
from sinehil_kernels.avr.assembly import Program
from sinehil_kernels.avr.chip import Call
from sinehil_kernels.avr.machine import Machine
from sinehil_kernels.generated import Figures
from sinehil_kernels.trial_inputs import sample_codes

SAMPLES = 80  # of a model with several inputs


def trial_inputs(model: QuantizedModel) -> Int64s:
    """Return the input codes [n, inputs]: all 256 of one input; seeded samples with corners of several."""
    return sample_codes(model, SAMPLES).astype(np.int64)


def call_once(program: Program, inputs: Sequence[Sequence[int]], outputs: int) -> list[Call]:
    """Return the call on each row of input codes; what ran on these words before is not run again."""
    machine = Machine(program)
    for row in inputs:
        if tuple(row) not in program.calls:
            program.calls[tuple(row)] = machine.call(row, outputs)
    return [program.calls[tuple(row)] for row in inputs]


def try_program(program: Program, inputs: Int64s, expected: Int64s, bound: float | None = None) -> Figures:
    """Run the program on each input and count; ToolError if an output code differs from ``expected`` [n, outputs]."""
    calls = call_once(program, inputs.tolist(), expected.shape[1])
    wrong = sum(call.y_q != row for call, row in zip(calls, expected.tolist(), strict=True))
    if wrong:
        raise ToolError(
            f"the generated kernel differs from its plan on {wrong} of {len(calls)} inputs",
            "this is a bug of sinehil: please report it",
        )
    cycles = [call.cycles for call in calls]
    return Figures(
        runs=len(calls),
        mean_cycles=sum(cycles) / len(cycles),
        worst_cycles=max(cycles),
        flash_bytes=len(program.image),
        stack_bytes=max(call.stack_bytes for call in calls),
        bound_cycles=bound,
    )
