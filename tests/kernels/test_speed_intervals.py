"""The unrolled kernel where inputs are several: each accumulator that can occur, not only both sides of the steps."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest
from random_nets import any_net
from test_portable_forms import oracle_codes
from test_size_intervals import saturating_net
from tests.sampling import first

from sinehil.model.arithmetic import ORACLES
from sinehil.model.arrays import Bools, Int64s
from sinehil.model.tflite import QuantizedModel
from sinehil_kernels.avr.assembly import Assembly
from sinehil_kernels.avr.machine import Machine
from sinehil_kernels.speed.folded_network import FoldedNeuron
from sinehil_kernels.speed.form16 import Form16
from sinehil_kernels.speed.registers import ZERO
from sinehil_kernels.speed.requantization_assembly import byte_register, emit_byte, emit_inactive_test
from sinehil_kernels.speed.requantization_plan import GUARD_CYCLES, Requantization, SplitForm, StepSearch
from sinehil_kernels.speed.stage_plan import MOST_CHECKS, PlannedNeuron, plan
from sinehil_kernels.value_ranges import LayerRanges, value_ranges

LISTED = 3_000_000
WRONG = -1


def planned(model: QuantizedModel, oracle: str) -> Iterator[tuple[PlannedNeuron, LayerRanges]]:
    layers = value_ranges(model, oracle)
    for stage in plan(layers).stages:
        for made in stage.neurons:
            if made.neuron.trace is None and np.ptp(made.neuron.span) < LISTED:
                yield made, layers[stage.stage.number - 1]


def every_accumulator(made: PlannedNeuron, layer: LayerRanges, oracle: str) -> tuple[Int64s, Int64s]:
    """Return all accumulators of the neuron, scaled as its weights are, and the oracle's bytes."""
    low, high = (end // made.scale for end in made.neuron.span)
    at = np.arange(low, high + 1)
    codes = np.clip(oracle_codes(oracle, layer.layer, made.neuron.number, at), layer.lowest, layer.highest)
    return made.scale * at, codes - made.neuron.base


def bytes_of(form: Requantization, neuron: FoldedNeuron, at: Int64s) -> Int64s:
    """Return what a requantisation makes of accumulators; WRONG where it has no answer."""
    if isinstance(form.form, SplitForm):
        parts = (bytes_of(part, neuron, at) for part in (form.form.negative, form.form.other))
        return np.where(at < 0, *parts)
    u = at - form.offset
    if isinstance(form.form, StepSearch):
        return form.form(u)
    raw = form.form.raw(np.maximum(u, 0))
    found = np.where(raw < form.form.capacity, np.minimum(raw, neuron.top), WRONG)
    if isinstance(form.form, Form16) and form.fallback is not None:
        low_bytes = form.form.p(np.maximum(u, 0)) << form.form.half & 0xFF
        found = np.where(low_bytes < form.guard, bytes_of(form.fallback, neuron, at), found)
    if form.limit is not None:
        found = np.where(u >> 8 >= form.limit, neuron.top, found)
    for accumulator, byte in form.exceptions:
        found = np.where(at == accumulator, byte, found)
    return np.where(u < 0, 0 if form.inactive_test else WRONG, found)


def interval_models(seeds: range) -> Iterator[tuple[int, QuantizedModel]]:
    models = ((seed, any_net(seed, widest=12).model()) for seed in seeds)
    yield from ((seed, model) for seed, model in models if model.inputs > 1)


@pytest.mark.parametrize("oracle", first(1, ORACLES))
def test_every_accumulator_of_random_nets_gets_the_oracles_byte(oracle: str) -> None:
    kinds: dict[str, int] = {}
    looked = [0] * MOST_CHECKS
    lines: list[float] = []
    exact: list[float] = []
    models = [*interval_models(range(300, 320)), *((seed, saturating_net(seed).model()) for seed in range(4))]
    for seed, model in models:
        for made, layer in planned(model, oracle):
            at, wanted = every_accumulator(made, layer, oracle)
            found = bytes_of(made.form, made.neuron, at)
            wrong = at[found != wanted]
            assert not wrong.size, f"net {seed} neuron {made.neuron.number}: {wrong.size}, first {wrong[:3]}"
            *before, last = made.form.checks
            kind = type(last.form).__name__
            kinds[kind] = kinds.get(kind, 0) + 1
            looked[len(before)] += 1
            if before and not isinstance(last.form, StepSearch):
                assert not isinstance(made.form.form, StepSearch)
                lines.append(made.form.form.cycles + GUARD_CYCLES)
                exact.append(last.form.cycles)
    told = (f"{min(costs):.0f} to {max(costs):.0f}" for costs in (lines, exact))
    print(oracle, kinds, looked, "lines take {} cycles, what is behind them {}".format(*told))  # noqa: T201
    assert np.mean(lines) < 0.6 * np.mean(exact)
    assert min(looked) > 2, "one look, two and three"
    assert kinds["Form24"] > 20
    assert ("SplitForm" in kinds) == (oracle == "tflm")


def test_with_a_smaller_guard_some_accumulators_are_wrong() -> None:
    """Negative control: each guard is the least that will do."""
    guarded = 0
    for _, model in interval_models(range(300, 320)):
        for made, layer in planned(model, "litert"):
            for check in made.form.checks[:-1]:
                assert isinstance(check.form, Form16)
                at, wanted = every_accumulator(made, layer, "litert")
                for guard in (0, check.guard - (1 << check.form.half)):
                    smaller = replace(check, guard=guard)
                    assert (bytes_of(smaller, made.neuron, at) != wanted).any()
                guarded += 1
    assert guarded > 60


@pytest.mark.parametrize("oracle", first(1, ["tflm", "litert"]))
def test_the_assembly_gives_what_the_plan_does(oracle: str) -> None:
    """Also on accumulators on which the cheap lines are wrong or nearly so, which random inputs seldom reach."""
    looked_again = neurons = noticed = 0
    models = [*interval_models(range(300, 330)), *((seed, saturating_net(seed).model()) for seed in range(4))]
    for _, model in models:
        for made, layer in planned(model, oracle):
            *before, last = made.form.checks
            at, wanted = every_accumulator(made, layer, oracle)
            again = [np.flatnonzero(undecided(before[:number], at)) for number in range(1, len(before) + 1)]
            proven = np.flatnonzero(np.isin(at, made.neuron.accumulators))
            some = np.unique(
                [
                    0,
                    len(at) - 1,
                    *(each for found in (*again, proven) for each in found[:: len(found) // 12 + 1]),
                ]
            )
            assert _run(made, at[some]) == wanted[some].tolist()
            if not before:
                continue
            looked_again += len(some)
            spoilt = replace(last, offset=last.offset + _half_a_byte(made))
            noticed += _run(replace(made, form=chained([*before, spoilt])), at[some]) != wanted[some].tolist()
            neurons += 1
    assert looked_again > 300
    assert noticed > 0.8 * neurons  # negative control; the others have few bytes but 0 and the top


def undecided(forms: Sequence[Requantization], at: Int64s) -> Bools:
    """Say of which accumulators all forms have a low byte below their guards."""
    found = np.ones(at.shape, np.bool_)
    for check in forms:
        assert isinstance(check.form, Form16)
        u = at - check.offset
        found &= (u >= 0) & (check.form.p(np.maximum(u, 0)) << check.form.half & 0xFF < check.guard)
    return found


def chained(forms: Sequence[Requantization]) -> Requantization:
    first, *others = forms
    return replace(first, fallback=chained(others)) if others else first


def _half_a_byte(made: PlannedNeuron) -> int:
    return int(np.ceil(0.5 / made.neuron.slope))


IN_AND_KEPT = (("r20", "r21", "r26"), ("r22", "r24")), (("r22", "r24", "r27"), ("r20", "r21", "r26"))


def _run(made: PlannedNeuron, accumulators: Int64s) -> list[int]:
    """Return the bytes that the neuron's own assembly makes of accumulators, wherever these are, harming no other."""
    found = []
    for number, accumulator in enumerate(accumulators.tolist()):
        places, kept = IN_AND_KEPT[number % 2]
        assembly = _requantizing(made, accumulator, places[: made.form.width], kept)
        byte, *others = Machine(assembly.assemble()).call([0], 1 + len(kept)).y_q
        assert others == list(range(1, 1 + len(kept)))
        found.append(byte & 0xFF)
    return found


def _requantizing(
    made: PlannedNeuron, accumulator: int, registers: Sequence[str], kept: Sequence[str]
) -> Assembly:
    form, assembly = made.form, Assembly()
    assembly.op("movw", "r30", "r22")
    assembly.op("ldi", ZERO, 0)
    for index, register in enumerate(registers):
        assembly.op("ldi", register, accumulator - form.offset >> 8 * index & 0xFF)
    for value, register in enumerate(kept, 1):
        assembly.op("ldi", register, value)
    assembly.op("mov", byte_register(form), ZERO)
    emit_inactive_test(assembly, form, registers, "rests")
    emit_byte(assembly, form, registers, made.neuron.top)
    assembly.label("rests")
    for register in (byte_register(form), *kept):
        assembly.op("st", "Z+", register)
    assembly.op("clr", "r1")
    assembly.op("ret")
    assembly.items += assembly.aside
    return assembly
