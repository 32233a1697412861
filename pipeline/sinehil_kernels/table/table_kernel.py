"""Generate the lookup-table kernel: one byte for each code of a model with one input."""

import numpy as np

from sinehil.errors import ArtefactError
from sinehil.model.arrays import Int64s
from sinehil.model.tflite import QuantizedModel
from sinehil_kernels.avr.assembly import Assembly, Program
from sinehil_kernels.avr.sources import assembly_kernel
from sinehil_kernels.avr.trial import trial_inputs, try_program
from sinehil_kernels.generated import GeneratedKernel
from sinehil_kernels.value_ranges import value_ranges

ENGINE = "table"
ABOUT = (
    "The model is gone: one byte for each of the 256 input codes, in the order of the codes as unsigned bytes.",
)


def generate_table(model: QuantizedModel, oracle: str) -> GeneratedKernel:
    """Return the kernel for a model with one input and one output; ArtefactError for any other."""
    if (model.inputs, model.outputs) != (1, 1):
        raise ArtefactError(
            f"{model.name} has {model.inputs} inputs and {model.outputs} outputs: a table of all answers"
            " is for one input and one output",
            "choose --optimize speed, size or portable",
        )
    trace = value_ranges(model, oracle)[-1].trace
    assert trace is not None
    program = table_program(trace.codes[:, 0])
    return assembly_kernel(
        model,
        oracle,
        ENGINE,
        program,
        try_program(program, trial_inputs(model), trace.codes),
        ABOUT,
    )


def table_program(codes: Int64s) -> Program:
    """Return the function that gives ``codes[x_q + 128]``."""
    kernel = Assembly()
    kernel.op("movw", "r26", "r24", note="X = x_q")
    kernel.op("ld", "r18", "X")
    kernel.op("ldi", "r30", "lo8(answers)")
    kernel.op("ldi", "r31", "hi8(answers)")
    kernel.op("add", "r30", "r18")
    kernel.op("adc", "r31", "r1")
    kernel.op("lpm", "r24", "Z")
    kernel.op("movw", "r26", "r22", note="X = y_q")
    kernel.op("st", "X", "r24")
    kernel.op("ret")
    kernel.label("answers")
    kernel.data(np.roll(codes, 128).astype(np.int8).tobytes())
    return kernel.assemble()
