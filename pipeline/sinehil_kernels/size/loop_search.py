"""Search for the smallest loop: forms in the order of the bytes that they take at least."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product

import numpy as np

from sinehil_kernels.avr.chip import CycleLimitError
from sinehil_kernels.avr.machine import Machine
from sinehil_kernels.size.constant_search import LONGEST, find
from sinehil_kernels.size.loop import Loop, LoopLayer, uniform_stream_bytes
from sinehil_kernels.size.loop_assembly import code_bytes, loop_program
from sinehil_kernels.size.loop_forms import Form, LongForm, NeuronConstants, ShortForm, StepsForm
from sinehil_kernels.size.loop_network import ComputedLayer
from sinehil_kernels.size.loop_requantization import has_looped_shifts

LARGEST_IMAGE = 1 << 16  # bytes


def smallest_loop(network: Sequence[ComputedLayer]) -> Loop | None:
    """Return the smallest loop found; cycles beyond those wanted count as bytes.

    There always is one, since corrections make any step function; None if it is larger than what Z can point into.
    """
    wanted = max(CYCLES, CYCLES_PER_PRODUCT * _products(network))
    best: Loop | None = None
    smallest = LARGEST_IMAGE
    hardest: list[tuple[int, int]] = []
    for least, form in sorted(_candidates(network), key=lambda pair: pair[0]):
        if least >= smallest:
            break
        loop = plan_with(form, network, hardest, smallest - least)
        for candidate in () if loop is None else _variants(loop):
            cost = _cost(candidate, wanted, smallest)
            if cost < smallest:
                best, smallest = candidate, cost
    return best


def _variants(loop: Loop) -> Iterator[Loop]:
    """Yield the loop, the smallest first, and what takes more bytes and fewer cycles."""
    shifts = (False, True) if has_looped_shifts(loop) else (False,)
    inlined = (False, True) if isinstance(loop.form, ShortForm) and loop.form.exact else (False,)
    for unroll, inline, flat in product(UNROLL, inlined, shifts):
        yield replace(loop, unroll=unroll, flat_shifts=flat, inlined=inline)


def _cost(loop: Loop, wanted: int, most: int) -> int:
    """Return the bytes, and what the cycles beyond those wanted count; not counted where ``most`` is reached anyway."""
    program = loop_program(loop)
    size = len(program.image)
    if size >= most:
        return size
    bearable = wanted + max(0, most - size - LATE) * CYCLES_PER_BYTE
    try:
        call = Machine(program, bearable + CALL_CYCLES).call([0] * len(loop.layers[0].inputs), loop.outputs)
    except CycleLimitError:
        return most
    excess = call.cycles - wanted
    return size + (LATE + excess // CYCLES_PER_BYTE if excess > 0 else 0)


def _products(network: Sequence[ComputedLayer]) -> int:
    return sum(len(layer.inputs) * len(layer.neurons) for layer in network)


def plan_with(
    form: Form, network: Sequence[ComputedLayer], hardest: list[tuple[int, int]], spare: int = 1 << 20
) -> Loop | None:
    """Return the loop with that form, or None if a neuron has no constants in it.

    None also if corrections take more than ``spare`` bytes.

    ``hardest``: (layer, neuron) that have failed before, tried first; grows.
    """
    every = [(n, j) for n, layer in enumerate(network) for j in range(len(layer.neurons))]
    found: dict[tuple[int, int], NeuronConstants] = {}
    for at in [*hardest, *(at for at in reversed(every) if at not in hardest)]:
        constants = find(form, network[at[0]].neurons[at[1]])
        if constants is None:
            if at in hardest:
                hardest.remove(at)
            hardest.insert(0, at)
            return None
        found[at] = constants
        spare -= len(constants.corrections) * CORRECTION_BYTES
        if spare < 0:
            return None
    layers = tuple(
        LoopLayer(
            layer.name, layer.inputs, tuple(found[n, j] for j in range(len(layer.neurons))), layer.table
        )
        for n, layer in enumerate(network)
    )
    return Loop(form, layers, outputs=len(network[-1].neurons))


def _candidates(network: Sequence[ComputedLayer]) -> Iterator[tuple[int, Form]]:
    """Yield forms that may do, each with the bytes that it takes at least."""
    slopes = [neuron.slope for layer in network for neuron in layer.neurons if len(neuron.weights) > 1]
    steepest = max(slopes, default=0.0)
    cheapest = _cheapest_layers(network)
    lines: list[ShortForm | LongForm] = [*_short_forms(), *_long_forms()]
    for form in lines:
        limit = 1 << 8 * max(2, form.multiplier_bytes)
        if form == LONGEST or steepest * 2.0 ** (form.exponent - form.doubled) < limit * TOLERANCE:
            yield _least(form, cheapest), form
    steps = sum(int(neuron.wanted[-1]) for layer in network for neuron in layer.neurons)
    for width in (2, 3):
        yield _least(StepsForm(width), cheapest) + width * steps, StepsForm(width)


def _short_forms() -> Iterator[ShortForm]:
    for doubled, (width, exact), after in product((False, True), SHORT, range(9)):
        for signed in (False, True):
            yield ShortForm(2, width, exact, 0, after, signed, doubled)
        for before in range(4):
            yield ShortForm(3, width, exact, before, after, True, doubled)
        if exact:
            for size, signed in ((2, False), (2, True), (3, True)):
                yield from (
                    ShortForm(size, width, exact, 0, after, signed, doubled, addend, corrections)
                    for addend, corrections in ((width == 2, False), (width == 2, True), (False, True))
                    if addend or corrections
                )


def _long_forms() -> Iterator[LongForm]:
    for corrections in (False, True):
        for doubled in (False, True):
            for width, after, addend in LONG:
                yield LongForm(width, after, addend, corrections, doubled=doubled)
    for doubled in (False, True):
        for width, after, addend in LONG:
            if addend:
                yield LongForm(width, after, addend, corrections=False, doubled=doubled, split=True)


CYCLES, CYCLES_PER_PRODUCT = 6600, 13  # the larger of the two is kept to
TOLERANCE = 1.1  # how far a multiplier may be from the slope
CYCLES_PER_BYTE, LATE = 16, 40  # beyond what is wanted; and bytes for being beyond it at all
CALL_CYCLES = 4  # of the return, which the machine counts on the way
CORRECTION_BYTES = 3  # at least
UNROLL = (1, 2, 4)
SHORT = ((1, False), (2, False), (2, True), (3, True))
LONG = (
    *((2, after, addend) for after in (0, 1, 2, 3, 8) for addend in (0, 1)),
    *((3, after, addend) for after in (0, 1, 2, 3, 8) for addend in (0, 1)),
    (4, 8, 2),
)


def _cheapest_layers(network: Sequence[ComputedLayer]) -> tuple[LoopLayer, ...]:
    """Return layers of as many neurons and weights, with the constants that take the fewest bytes in any form."""
    zero = np.zeros(1, np.int64)
    found = []
    for layer in network:
        neuron = replace(layer.neurons[0], points=zero, wanted=zero, bias=0)
        neurons = (NeuronConstants(neuron, 0),) * len(layer.neurons)
        found.append(LoopLayer(layer.name, layer.inputs, neurons, layer.table))
    return tuple(found)


def _least(form: Form, cheapest: tuple[LoopLayer, ...]) -> int:
    """Return the bytes of the loop with the cheapest constants that this form can have."""
    loop = Loop(form, cheapest, outputs=len(cheapest[-1].neurons))
    return code_bytes(loop) + uniform_stream_bytes(loop)
