"""The unrolled kernel of several inputs: each way to fetch them, and code that is placed out of the way."""

from dataclasses import replace

import pytest
from chains import chain_net
from models import Table
from random_nets import any_net
from test_speed import assert_exact, speed
from tests.sampling import extended

from sinehil.model.arithmetic import ORACLES
from sinehil_kernels.avr import assembly
from sinehil_kernels.avr.assembly import REACH_WORDS, Instruction
from sinehil_kernels.avr.neuron_points import try_points
from sinehil_kernels.avr.trial import trial_inputs
from sinehil_kernels.speed.requantization_plan import FAR, StepSearch
from sinehil_kernels.speed.stage_assembly import WAYS, unrolled
from sinehil_kernels.speed.stage_plan import plan
from sinehil_kernels.value_ranges import value_ranges

WITH_TABLE = chain_net(3, (3, 6, 2))
FEW_INPUTS = {
    "2-4-1": chain_net(1, (2, 4, 1)),
    "3-3": chain_net(1, (3, 3)),
    "4-4, three bytes": chain_net(4, (4, 4)),
    "5-9-4": chain_net(3, (5, 9, 4)),
    "8-16-1": chain_net(2, (8, 16, 1)),
    "with tables": replace(WITH_TABLE, layers=(*WITH_TABLE.layers, Table("TANH"))),
}
SOME_SIGNED = ("2-4-1", "3-3")  # the others have weights times 2 to 4, or sums of three bytes


@pytest.mark.parametrize("name", FEW_INPUTS)
def test_each_way_to_the_inputs_is_exact(name: str) -> None:
    """Not only the one that is fastest for the model."""
    model = FEW_INPUTS[name].model()
    made = plan(value_ranges(model, "litert"))
    programs = {way: unrolled([made], way) for way in WAYS}
    assert [way for way in WAYS if programs[way] is None] == ([WAYS[2]] if name == "with tables" else [])
    for found in filter(None, programs.values()):
        assert_exact(model, found.program, trial_inputs(model))
        assert try_points(found.program, found.neurons) > 100
    kept = programs["singly"]
    assert kept is not None
    signed = sum(isinstance(item, Instruction) and item.mnemonic == "muls" for item in kept.program.items)
    assert (signed > 0) is (name in SOME_SIGNED)


def test_what_is_aside_stays_in_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    model = chain_net(1, (5, 9, 4)).model()
    made = plan(value_ranges(model, "litert"))
    rounds = {}
    for reach_words in (REACH_WORDS, 400):
        monkeypatch.setattr(assembly, "REACH_WORDS", reach_words)
        found = unrolled([made])
        assert found is not None
        assert_exact(model, found.program, trial_inputs(model))
        rounds[reach_words] = found.program.text().count("rjmp .Lround")
    assert rounds[REACH_WORDS] == 0 < rounds[400]


@pytest.mark.parametrize(("seed", "widest"), [(60132, 12), extended(70140, 40)])
def test_jumps_reach_over_a_step_function(seed: int, widest: int) -> None:
    """256 steps are 2,000 words and more: with a cheap line before them the jumps no longer did."""
    oracle = ORACLES[seed % len(ORACLES)]
    model = any_net(seed, widest=widest).model()
    forms = [made.form for stage in plan(value_ranges(model, oracle)).stages for made in stage.neurons]
    assert any(isinstance(form.form, StepSearch) and len(form.form.starts) > FAR for form in forms)
    kernel = speed(model, oracle)
    assert kernel.program is not None
    assert_exact(model, kernel.program, trial_inputs(model), oracle)
