"""Plan of each stage: a proven requantization for every neuron, and its comments.

A guarded line need not be exact: of its p = high byte and low byte, no step comes late, and none comes more than
``guard`` too early: where the byte is to be k, 256 k <= p < 256 (k + 1) + guard. So the high byte is right wherever
the low one is ``guard`` or more, and only elsewhere the next form is asked: another such line, or the exact one. p
grows with u, so both sides of every step prove it for all between them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil, floor

import numpy as np

from sinehil.model.arrays import Int64s
from sinehil_kernels.c_parts import harmless
from sinehil_kernels.speed.exact_forms import (
    before_limit,
    find_requantization,
    representable,
    tested,
    with_limit,
)
from sinehil_kernels.speed.first_layer import FirstByte, find_first_byte
from sinehil_kernels.speed.folded_network import (
    ByteTable,
    FoldedNeuron,
    FoldedStage,
    input_lookup,
    lookups,
    restricted,
    stages,
)
from sinehil_kernels.speed.form16 import Form16, guardable
from sinehil_kernels.speed.requantization_plan import FAR, GUARD_CYCLES, Requantization, StepSearch
from sinehil_kernels.value_ranges import LayerRanges

LARGEST_GUARD = 255
MOST_CHECKS, MOST_SECOND_CYCLES = 3, 20


def with_guards(neuron: FoldedNeuron, exact: Requantization, checks: int = MOST_CHECKS) -> Requantization:
    """Return what takes the fewest cycles: ``exact``, or a line before it, or two lines; ``checks``: at most so many.

    Nothing stands before a step function that is so long that no RJMP would lead over it.
    """
    if isinstance(exact.form, StepSearch) and len(exact.form.starts) > FAR:
        return exact
    lines = list(_lines(neuron, exact)) if checks > 1 else []
    between = [line for line in lines if line.form.cycles <= MOST_SECOND_CYCLES] if checks > 2 else []
    chains = (
        replace(line, fallback=after) for line in lines for after in between if after.guard < line.guard
    )
    return min((exact, *lines, *chains), key=lambda plan: plan.cycles(neuron.top))


def _lines(neuron: FoldedNeuron, exact: Requantization) -> Iterator[Requantization]:
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


def _guarded(neuron: FoldedNeuron, form: Form16, exact: Requantization) -> Requantization | None:
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


LARGEST_FACTOR, MOST_SCALES = 255, 4


@dataclass(frozen=True)
class PlannedNeuron:
    """``neuron`` with weights, bias and accumulators times ``scale``, which costs nothing and saves shifts of u."""

    neuron: FoldedNeuron
    scale: int
    form: Requantization


@dataclass(frozen=True)
class PlannedStage:
    """A stage whose accumulators are requantized by ``neurons``; or one straight from the input: ``first``."""

    stage: FoldedStage
    neurons: tuple[PlannedNeuron, ...]
    first: tuple[FirstByte, ...] | None


@dataclass(frozen=True)
class RegionPlan:
    """A model, or a one-input model on the codes ``first`` to ``end`` - 1 (each + 128)."""

    first: int
    end: int
    stages: tuple[PlannedStage, ...]
    inputs: ByteTable | None  # the table before the first stage


def plan(
    layers: Sequence[LayerRanges], first: int = 0, end: int = 256, *, checks: int = MOST_CHECKS
) -> RegionPlan:
    """Return a proven form for every neuron that is computed; ``first`` and ``end`` are for one-input models.

    ``checks``: how many forms an interval may get, each behind the last one's guard; more are faster, and longer.
    """
    one_input = layers[0].trace is not None
    part = restricted(layers, first, end) if one_input and (first, end) != (0, 256) else layers
    found = stages(part, lookups(layers))
    input_u8 = (
        np.arange(first, end) if one_input and len(found) > 1 and layers[0].input_table is None else None
    )
    return RegionPlan(
        first,
        end,
        tuple(_planned(stage, input_u8 if stage.number <= 2 else None, checks) for stage in found),
        input_lookup(layers),
    )


def _planned(stage: FoldedStage, input_u8: Int64s | None, checks: int) -> PlannedStage:
    """Return a stage; ``input_u8``: the input's codes + 128, where they are at hand while it is computed."""
    if input_u8 is not None and stage.number == 1:
        can_be_inactive = stage.lookup is None
        return PlannedStage(
            stage, (), tuple(find_first_byte(neuron, input_u8, can_be_inactive) for neuron in stage.neurons)
        )
    return PlannedStage(stage, tuple(plan_neuron(neuron, input_u8, checks) for neuron in stage.neurons), None)


def plan_neuron(
    neuron: FoldedNeuron, input_u8: Int64s | None = None, checks: int = MOST_CHECKS
) -> PlannedNeuron:
    """Return the neuron with the cheapest form at any scale at which its weights still fit."""
    largest = max(abs(weight) for weight in neuron.weights)
    scales = range(1, min(MOST_SCALES, LARGEST_FACTOR // largest) + 1)
    plans = [
        PlannedNeuron(scaled, k, _requantization(scaled, input_u8, checks))
        for k in scales
        for scaled in [_scaled(neuron, k)]
    ]
    return min(plans, key=lambda made: (made.form.width, made.form.cycles(neuron.top), made.scale))


def _requantization(neuron: FoldedNeuron, input_u8: Int64s | None, checks: int) -> Requantization:
    found = find_requantization(neuron, input_u8)
    return with_guards(neuron, found, checks) if neuron.trace is None else found


def _scaled(neuron: FoldedNeuron, scale: int) -> FoldedNeuron:
    return replace(
        neuron,
        weights=tuple(scale * weight for weight in neuron.weights),
        bias=scale * neuron.bias,
        accumulators=scale * neuron.accumulators,
        slope=neuron.slope / scale,
        trace=None if neuron.trace is None else scale * neuron.trace,
    )


def stage_comment(planned: PlannedStage) -> Iterator[str]:
    """Return the title of a stage and what has vanished from it."""
    stage = planned.stage
    outputs, inputs = stage.layer.weights.shape
    yield ""
    yield f"layer {stage.number}, {harmless(stage.layer.name)}: {inputs} -> {outputs}, {stage.layer.activation}"
    if stage.constants:
        fixed = ", ".join(f"{number} ({code})" for number, code in stage.constants)
        yield f"always one code, folded into the biases behind: {fixed}"


def first_layer_comment(planned: PlannedStage, index: int) -> Iterator[str]:
    """Return what a first-layer neuron of a one-input model is."""
    assert planned.first is not None
    neuron, first = planned.stage.neurons[index], planned.first[index]
    when = {"always": "always", "up": "from u = {}", "down": "from 255 - u = {}, which is u below"}[
        first.kind
    ]
    threshold = when if first.kind == "always" else when.format(first.threshold)
    yield f"layer {planned.stage.number} neuron {neuron.number}: weight {neuron.weights[0]}, {threshold};"
    yield f"  code - {neuron.base} = {first.form.text()}, proven on its {int(first.active.sum())} codes"


def neuron_comment(planned: PlannedStage, made: PlannedNeuron) -> Iterator[str]:
    """Return what a neuron is, and over what its form is proven."""
    neuron, form = made.neuron, made.form
    low, high = neuron.span
    proven = (
        f"{len(neuron.accumulators)} listed" if neuron.trace is not None else "on both sides of every step"
    )
    scaled = f", all times {made.scale}" if made.scale > 1 else ""
    yield f"layer {planned.stage.number} neuron {neuron.number}: accumulators {low} to {high}, {proven}{scaled};"
    yield f"  u = accumulator - ({form.offset}); code - ({neuron.base}) = {form.form.text()}"
    for check, after in pairwise(form.checks):
        yield f"  where p has a low byte below {check.guard}: u = accumulator - ({after.offset}), {after.form.text()}"
    if form.checks[-1].exceptions:
        apart = ", ".join(f"{accumulator} ({byte})" for accumulator, byte in form.checks[-1].exceptions)
        yield f"  but for accumulators that no line serves, told apart with their bytes: {apart}"


def weight_comment(made: PlannedNeuron, source: int) -> str:
    """Return whose weight it is, and how it stands in the .tflite."""
    scaled = f" * {made.scale}" if made.scale > 1 else ""
    return f"neuron {made.neuron.number}: weight {made.neuron.weights[source] // made.scale}{scaled}"


def bias_comment(layer: int, made: PlannedNeuron) -> str:
    """Return whose bias it is."""
    return f"layer {layer} neuron {made.neuron.number}: bias"
