"""Requantisation by a line that need not be exact, with a further look where that matters.

Of the line's p = high byte and low byte, no step comes late, and none comes more than ``guard`` too early: where the
byte is to be k, 256 k <= p < 256 (k + 1) + guard. So the high byte is right wherever the low one is ``guard`` or more,
and only elsewhere the next form is asked: another such line, or the exact one. p grows with u, so both sides of every
step prove it for all between them.
"""

from collections.abc import Iterator
from dataclasses import replace
from math import ceil, floor

import numpy as np

from sinehil_kernels.speed.exact import before_limit, representable, tested, with_limit
from sinehil_kernels.speed.folded_network import Neuron
from sinehil_kernels.speed.form16 import Form16, guardable
from sinehil_kernels.speed.requantization import GUARD_CYCLES, Requantization
from sinehil_kernels.speed.steps import FAR, Steps

LARGEST_GUARD = 255
MOST_LOOKS, MOST_SECOND_CYCLES = 3, 20


def with_guards(neuron: Neuron, exact: Requantization, looks: int = MOST_LOOKS) -> Requantization:
    """Return what takes the fewest cycles: ``exact``, or a line before it, or two lines; ``looks``: at most so many.

    Nothing stands before a step function that is so long that no RJMP would lead over it.
    """
    if isinstance(exact.form, Steps) and len(exact.form.starts) > FAR:
        return exact
    lines = list(_lines(neuron, exact)) if looks > 1 else []
    between = [line for line in lines if line.form.cycles <= MOST_SECOND_CYCLES] if looks > 2 else []
    chains = (
        replace(line, fallback=after) for line in lines for after in between if after.guard < line.guard
    )
    return min((exact, *lines, *chains), key=lambda plan: plan.cycles(neuron.top))


def _lines(neuron: Neuron, exact: Requantization) -> Iterator[Requantization]:
    """Yield the lines that are cheaper than ``exact``, each with it behind."""
    cut = before_limit(neuron)
    first_active = int(neuron.accumulators[neuron.wanted > 0][0])
    highest = (neuron if cut is None else cut).span[1] - first_active
    for form in guardable(neuron.slope, highest):
        if form.cycles + GUARD_CYCLES >= exact.cycles(neuron.top):
            return
        found = _guarded(neuron, form, exact)
        if found is not None:
            yield found
            continue
        found = None if cut is None else _guarded(cut, form, exact)
        if found is not None:
            yield with_limit(found, neuron)


def _guarded(neuron: Neuron, form: Form16, exact: Requantization) -> Requantization | None:
    """Return the line with the highest offset at which no step comes late; None if the registers do not suffice."""
    active, wide = neuron.wanted > 0, exact.width == 3
    most = floor((neuron.accumulators - neuron.wanted * form.unit / form.slope)[active].min())
    offsets = most - np.arange(ceil((form.error + 1) / form.slope) + 2)
    u = neuron.accumulators - offsets[:, None]
    p = form.p(np.maximum(u, 0))
    late = np.where(u < 0, active, p < neuron.wanted * form.unit).any(axis=1)
    possible = np.flatnonzero(~late & representable(neuron, offsets, wide))
    if not possible.size:
        return None
    at = possible[0]
    plan = tested(neuron, form, int(offsets[at]), wide)
    early = (p[at] - (neuron.wanted + 1) * form.unit + 1)[(u[at] >= 0) & (neuron.wanted < neuron.top)]
    guard = max(0, int(early.max(initial=0))) << form.half
    if plan.largest >= form.capacity or guard > LARGEST_GUARD:
        return None
    return replace(plan, guard=guard, fallback=exact) if guard else plan
