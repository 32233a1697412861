"""Generate the smallest kernel: fold, search, assemble, try."""

from collections.abc import Iterator, Sequence

import numpy as np

from sinehil.errors import ArtefactError
from sinehil.model.arithmetic import arithmetic_of
from sinehil.model.arrays import Int64s
from sinehil.model.tflite import FullyConnected, QuantizedModel
from sinehil_kernels.avr.assembly import Program
from sinehil_kernels.avr.neuron_points import PlacedNeuron, try_points
from sinehil_kernels.avr.sources import assembly_kernel
from sinehil_kernels.avr.trial import trial_inputs, try_program
from sinehil_kernels.generated import GeneratedKernel
from sinehil_kernels.size.loop import Loop, LoopLayer, form_places
from sinehil_kernels.size.loop_assembly import REQUANTIZE, REQUANTIZED, frame_of, loop_program
from sinehil_kernels.size.loop_forms import NeuronConstants, with_edge
from sinehil_kernels.size.loop_network import computed_network
from sinehil_kernels.size.loop_search import LARGEST_IMAGE, smallest_loop
from sinehil_kernels.value_ranges import value_ranges


def placed_neurons(loop: Loop, program: Program) -> Iterator[PlacedNeuron]:
    """Yield the neurons of which not every accumulator is run anyway, by trying all codes of one input."""
    registers = frame_of(loop).registers
    places = form_places(loop)
    for layer in loop.layers:
        for constants in layer.neurons:
            address = 2 * program.labels["stream"] + next(places)
            if constants.neuron.listed:
                continue
            edged = with_edge(loop.form, constants)
            yield PlacedNeuron(
                number=constants.neuron.number,
                sums=loop.form.sums(edged),
                wanted=_stored(layer, edged),
                sum_in=registers.sums,
                byte=registers.result,
                start=REQUANTIZE,
                end=REQUANTIZED,
                given={"r30": address & 0xFF, "r31": address >> 8},
                t=layer.table is not None,
            )


def _stored(layer: LoopLayer, constants: NeuronConstants) -> Int64s:
    """Return what the next layer reads, as unsigned bytes: code - floor - 128, or what the table has for that."""
    if layer.table is None:
        return constants.neuron.wanted ^ 0x80
    return np.array(layer.table)[constants.neuron.wanted] & 0xFF


ENGINE = "size"


def generate_size(model: QuantizedModel, oracle: str) -> GeneratedKernel:
    """Return the kernel; the same model gives the same bytes. ArtefactError if AVRs cannot address its constants."""
    loop = smallest_loop(computed_network(value_ranges(model, oracle)))
    if loop is None:
        raise ArtefactError(
            f"{model.name} takes {LARGEST_IMAGE} bytes or more as a loop and its constants",
            "use a smaller model",
        )
    program = loop_program(loop)
    inputs = trial_inputs(model)
    expected = arithmetic_of(oracle).infer_codes(model, inputs.astype(np.int8)).astype(np.int64)
    figures = try_program(program, inputs, expected)
    try_points(program, list(placed_neurons(loop, program)))
    return assembly_kernel(model, oracle, ENGINE, program, figures, _about(model, loop, program))


def _about(model: QuantizedModel, loop: Loop, program: Program) -> Iterator[str]:
    """Yield what a reader of the assembly should know before its first line."""
    code = 2 * program.labels["stream"]
    yield f"{code} bytes of code, {len(program.image) - code} of stream; as many cycles for every input."
    yield f"v = sum - offset; {loop.form.text()}; {loop.unroll} products a turn."
    neurons = sum(layer.outputs for layer in model.layers if isinstance(layer, FullyConnected))
    yield f"{len(loop.constants)} neurons run of {neurons}; what dead ones add is in the biases of the next layer."
    yield "An activation lies on the stack as code - floor - 128 (floor -128 if nothing else is said)."
    yield "The checksum covers all bytes but the two instructions that load the stream's address."
    yield from _registers(loop)


def _registers(loop: Loop) -> Sequence[str]:
    return (
        "r24:25 where the layer's inputs begin, X what is read of them, Z what is read of the stream;",
        f"sums: {loop.accumulator_bytes} bytes; the registers' other uses stand beside the lines.",
    )
