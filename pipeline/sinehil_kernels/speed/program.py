"""The function: u is fetched, its region found, and each region has its own code."""

from collections.abc import Sequence
from dataclasses import dataclass

from sinehil_kernels.avr.assembly import REACH_WORDS, Assembly, Instruction, Program
from sinehil_kernels.avr.neuron_points import PlacedNeuron
from sinehil_kernels.speed.registers import INPUT, X
from sinehil_kernels.speed.sources import Dispatch
from sinehil_kernels.speed.stage_assembly import Body, Way
from sinehil_kernels.speed.stage_plan import Plan


@dataclass(frozen=True)
class Unrolled:
    """The function, and where in it the neurons on intervals are."""

    program: Program
    neurons: tuple[PlacedNeuron, ...]


def unrolled(plans: Sequence[Plan], way: Way = "from memory") -> Unrolled | None:
    """Return the assembled function of a model (one plan), or of a one-input model's regions in ascending order.

    None if regions are too far apart for their jumps, or there are too few registers for that ``way``.
    """
    whole, neurons = Assembly(), list[PlacedNeuron]()
    if plans[0].stages[0].first is not None:
        whole.op("movw", X[0], INPUT, note="X = x_q")
        whole.op("ld", INPUT, "X", note="u = x + 128")
        whole.op("subi", INPUT, 128)
    labels = tuple(whole.new_label("region") for _ in plans)
    sizes = tuple(plan.end - plan.first for plan in plans)
    Dispatch(labels, tuple(plan.first for plan in plans[1:]), sizes).emit(whole)
    for plan, label in reversed(list(zip(plans, labels, strict=True))):
        if len(plans) > 1:
            whole.comment("")
            whole.comment(f"==== u = {plan.first} to {plan.end - 1} ====")
        whole.label(label)
        body = Body(plan.stages, plan.inputs, Assembly(numbers=whole.numbers), way)
        if not body.is_possible:
            return None
        whole.items += body.emit().items
        neurons += body.emitted
    for lookup in (plans[0].inputs, *(planned.stage.lookup for planned in plans[0].stages)):
        if lookup is not None:
            lookup.place(whole)
    if len(plans) > 1 and sum(isinstance(item, Instruction) for item in whole.items) > REACH_WORDS:
        return None
    return Unrolled(whole.assemble(), tuple(neurons))
