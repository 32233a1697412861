"""Where in the loop the neurons on intervals are turned into bytes, for ``try_points``."""

from collections.abc import Iterator

import numpy as np

from sinehil.model.arrays import Int64s
from sinehil_kernels.avr.assembly import Program
from sinehil_kernels.avr.neuron_points import PlacedNeuron
from sinehil_kernels.size.constants import Constants
from sinehil_kernels.size.forms import with_edge
from sinehil_kernels.size.loop import Loop, LoopLayer
from sinehil_kernels.size.loop_assembly import REQUANTIZE, REQUANTIZED, frame_of
from sinehil_kernels.size.stream import form_places


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


def _stored(layer: LoopLayer, constants: Constants) -> Int64s:
    """Return what the next layer reads, as unsigned bytes: code - floor - 128, or what the table has for that."""
    if layer.table is None:
        return constants.neuron.wanted ^ 0x80
    return np.array(layer.table)[constants.neuron.wanted] & 0xFF
