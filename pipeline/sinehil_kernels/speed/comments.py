"""Comments: what each neuron is, and what was proven of it."""

from collections.abc import Iterator
from itertools import pairwise

from sinehil_kernels.c_parts import harmless
from sinehil_kernels.speed.stage_plan import PlannedNeuron, PlannedStage


def stage_words(planned: PlannedStage) -> Iterator[str]:
    """Return the title of a stage and what has vanished from it."""
    stage = planned.stage
    outputs, inputs = stage.layer.weights.shape
    yield ""
    yield f"layer {stage.number}, {harmless(stage.layer.name)}: {inputs} -> {outputs}, {stage.layer.activation}"
    if stage.constants:
        fixed = ", ".join(f"{number} ({code})" for number, code in stage.constants)
        yield f"always one code, folded into the biases behind: {fixed}"


def first_words(planned: PlannedStage, index: int) -> Iterator[str]:
    """Return what a first-layer neuron of a one-input model is."""
    assert planned.first is not None
    neuron, first = planned.stage.neurons[index], planned.first[index]
    when = {"always": "always", "up": "from u = {}", "down": "from 255 - u = {}, which is u below"}[
        first.kind
    ]
    threshold = when if first.kind == "always" else when.format(first.threshold)
    yield f"layer {planned.stage.number} neuron {neuron.number}: weight {neuron.weights[0]}, {threshold};"
    yield f"  code - {neuron.base} = {first.form.words()}, proven on its {int(first.active.sum())} codes"


def neuron_words(planned: PlannedStage, made: PlannedNeuron) -> Iterator[str]:
    """Return what a neuron is, and over what its form is proven."""
    neuron, form = made.neuron, made.form
    low, high = neuron.span
    proven = (
        f"{len(neuron.accumulators)} listed" if neuron.trace is not None else "on both sides of every step"
    )
    scaled = f", all times {made.scale}" if made.scale > 1 else ""
    yield f"layer {planned.stage.number} neuron {neuron.number}: accumulators {low} to {high}, {proven}{scaled};"
    yield f"  u = accumulator - ({form.offset}); code - ({neuron.base}) = {form.form.words()}"
    for look, after in pairwise(form.looks):
        yield f"  where p has a low byte below {look.guard}: u = accumulator - ({after.offset}), {after.form.words()}"
    if form.looks[-1].exceptions:
        apart = ", ".join(f"{accumulator} ({byte})" for accumulator, byte in form.looks[-1].exceptions)
        yield f"  but for accumulators that no line serves, told apart with their bytes: {apart}"


def weight_words(made: PlannedNeuron, source: int) -> str:
    """Return whose weight it is, and how it stands in the .tflite."""
    scaled = f" * {made.scale}" if made.scale > 1 else ""
    return f"neuron {made.neuron.number}: weight {made.neuron.weights[source] // made.scale}{scaled}"


def bias_words(layer: int, made: PlannedNeuron) -> str:
    """Return whose bias it is."""
    return f"layer {layer} neuron {made.neuron.number}: bias"
