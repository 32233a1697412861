"""Run an assembled kernel on all input codes, or seeded samples of them, once; hold its codes against the plan."""

from collections.abc import Sequence

import numpy as np

from sinehil.errors import ToolError
from sinehil.model.arrays import Codes, Int64s
from sinehil.model.tflite import QuantizedModel
from sinehil.verify.probes import all_codes
from sinehil.verify.sampled_inputs import MIN_SAMPLES, sampled_codes
from sinehil_kernels.avr.assembly import Program
from sinehil_kernels.avr.chip import Call
from sinehil_kernels.avr.machine import Machine
from sinehil_kernels.generated import Figures

SEED = 137
FLAT = 5  # samples that are alike in every input or alternate, the first ones of sampled_codes
SAMPLES = 80  # of a model with several inputs


def trial_codes(model: QuantizedModel, count: int) -> Codes:
    """Return input codes [n, inputs]: all 256 of one input; else ``count`` of those that ``verify`` sends, drawn."""
    if model.inputs == 1:
        return all_codes().reshape(-1, 1)
    every = sampled_codes(model.inputs, model.input.zero_point, MIN_SAMPLES, SEED)
    drawn = np.random.default_rng(SEED).permutation(len(every) - FLAT)[: max(0, count - FLAT)] + FLAT
    return np.concatenate([every[:FLAT], every[drawn]])[:count]


def trial_inputs(model: QuantizedModel) -> Int64s:
    """Return the input codes [n, inputs]: all 256 of one input; seeded samples with corners of several."""
    return trial_codes(model, SAMPLES).astype(np.int64)


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
