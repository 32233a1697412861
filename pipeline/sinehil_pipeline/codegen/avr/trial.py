"""The generator's own trial of an assembled kernel: every code, or many inputs, against the plan."""

import numpy as np
from numpy.typing import NDArray

from sinehil.errors import ToolError
from sinehil.tflite_model import QuantizedModel
from sinehil_pipeline.codegen.avr.assembly import Program
from sinehil_pipeline.codegen.avr.machine import Machine
from sinehil_pipeline.codegen.generated import Figures

Int64s = NDArray[np.int64]
SAMPLES, SEED = 64, 137


def trial_inputs(model: QuantizedModel) -> Int64s:
    """Return the input codes [n, inputs]: all 256 of one input; corners and seeded samples of several."""
    if model.inputs == 1:
        return np.arange(-128, 128, dtype=np.int64).reshape(-1, 1)
    random = np.random.default_rng(SEED)
    even = random.integers(-128, 128, (SAMPLES, model.inputs))
    corners = random.choice([-128, 127], (SAMPLES // 4, model.inputs))
    flat = np.tile(np.array([[-128], [model.input.zero_point], [127]]), (1, model.inputs))
    return np.concatenate([flat, corners, even]).astype(np.int64)


def try_program(program: Program, inputs: Int64s, expected: Int64s, bound: float | None = None) -> Figures:
    """Run the program on each input and count; ToolError if an output code differs from ``expected`` [n, outputs]."""
    machine = Machine(program)
    calls = [machine.call(x_q, expected.shape[1]) for x_q in inputs.tolist()]
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
