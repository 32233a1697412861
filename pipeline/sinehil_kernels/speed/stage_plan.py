"""What is emitted for a model: each neuron with its proven form, scaled where that makes it cheaper."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from sinehil.model.arrays import Int64s
from sinehil_kernels.speed.exact import find_requantization
from sinehil_kernels.speed.folded_network import Neuron, Stage, input_lookup, lookups, restricted, stages
from sinehil_kernels.speed.guarded import MOST_LOOKS, with_guards
from sinehil_kernels.speed.line import FirstByte, find_first_byte
from sinehil_kernels.speed.lookup import Lookup
from sinehil_kernels.speed.requantization import Requantization
from sinehil_kernels.value_ranges import LayerReach

LARGEST_FACTOR, MOST_SCALES = 255, 4


@dataclass(frozen=True)
class PlannedNeuron:
    """``neuron`` with weights, bias and accumulators times ``scale``, which costs nothing and saves shifts of u."""

    neuron: Neuron
    scale: int
    form: Requantization


@dataclass(frozen=True)
class PlannedStage:
    """A stage whose accumulators are requantised by ``neurons``; or the first of all, straight from u: ``first``."""

    stage: Stage
    neurons: tuple[PlannedNeuron, ...]
    first: tuple[FirstByte, ...] | None


@dataclass(frozen=True)
class Plan:
    """A model, or a one-input model on the codes u = first to end - 1."""

    first: int
    end: int
    stages: tuple[PlannedStage, ...]
    inputs: Lookup | None  # the table before the first stage


def plan(layers: Sequence[LayerReach], first: int = 0, end: int = 256, *, looks: int = MOST_LOOKS) -> Plan:
    """Return a proven form for every neuron that is computed; ``first`` and ``end`` are for one-input models.

    ``looks``: how many forms an interval may get, each behind the last one's guard; more are faster, and longer.
    """
    one_input = layers[0].trace is not None
    part = restricted(layers, first, end) if one_input and (first, end) != (0, 256) else layers
    found = stages(part, lookups(layers))
    u = np.arange(first, end) if one_input and len(found) > 1 and layers[0].input_table is None else None
    return Plan(
        first,
        end,
        tuple(_planned(stage, u if stage.number <= 2 else None, looks) for stage in found),
        input_lookup(layers),
    )


def _planned(stage: Stage, u: Int64s | None, looks: int) -> PlannedStage:
    """Return a stage; ``u``: the input's codes, where they are at hand while it is computed."""
    if u is not None and stage.number == 1:
        can_rest = stage.lookup is None
        return PlannedStage(
            stage, (), tuple(find_first_byte(neuron, u, can_rest) for neuron in stage.neurons)
        )
    return PlannedStage(stage, tuple(plan_neuron(neuron, u, looks) for neuron in stage.neurons), None)


def plan_neuron(neuron: Neuron, u: Int64s | None = None, looks: int = MOST_LOOKS) -> PlannedNeuron:
    """Return the neuron with the cheapest form at any scale that its weights have room for."""
    largest = max(abs(weight) for weight in neuron.weights)
    scales = range(1, min(MOST_SCALES, LARGEST_FACTOR // largest) + 1)
    plans = [
        PlannedNeuron(scaled, k, _requantization(scaled, u, looks))
        for k in scales
        for scaled in [_scaled(neuron, k)]
    ]
    return min(plans, key=lambda made: (made.form.width, made.form.cycles(neuron.top), made.scale))


def _requantization(neuron: Neuron, u: Int64s | None, looks: int) -> Requantization:
    found = find_requantization(neuron, u)
    return with_guards(neuron, found, looks) if neuron.trace is None else found


def _scaled(neuron: Neuron, scale: int) -> Neuron:
    return replace(
        neuron,
        weights=tuple(scale * weight for weight in neuron.weights),
        bias=scale * neuron.bias,
        accumulators=scale * neuron.accumulators,
        slope=neuron.slope / scale,
        trace=None if neuron.trace is None else scale * neuron.trace,
    )
