"""The kernel that is a table: all answers, few cycles, only for models that have 256 of them."""

from dataclasses import replace

import numpy as np
import pytest
from avr_tools import assembled
from nets import random_net, variety

from sinehil.errors import ArtefactError, ToolError
from sinehil.model.tflite import QuantizedModel
from sinehil_kernels import generate_kernel
from sinehil_kernels.avr.machine import Machine
from sinehil_kernels.avr.sources import code_spans
from sinehil_kernels.avr.trial import trial_inputs, try_program
from sinehil_kernels.table.table_kernel import table_program
from sinehil_kernels.value_ranges import value_ranges

NETS = ("plain 1", "relu6 20", "symmetric", "largest weights")


@pytest.mark.parametrize("name", NETS)
def test_every_answer_is_the_oracles_in_13_cycles_and_276_bytes(name: str) -> None:
    model = variety()[name].model()
    kernel = generate_kernel(model, optimize="table")
    assert kernel.program is not None
    trace = value_ranges(model, "litert")[-1].trace
    assert trace is not None
    calls = [Machine(kernel.program).call([code], 1) for code in range(-128, 128)]
    assert [call.y_q for call in calls] == trace.codes.tolist()
    assert {call.cycles for call in calls} == {13}
    assert len(kernel.program.image) == 276


def test_several_inputs_or_outputs_are_refused() -> None:
    model = random_net(1).model()
    first, *others = model.layers
    wide = replace(first, weights=np.ones((16, 2), np.int8))
    two_inputs: QuantizedModel = replace(model, layers=(wide, *others))
    with pytest.raises(
        ArtefactError, match="2 inputs and 1 outputs: a table of all answers is for one input"
    ):
        generate_kernel(two_inputs, optimize="table")


def test_one_changed_answer_is_noticed_by_the_trial() -> None:
    """Negative control."""
    model = random_net(3).model()
    trace = value_ranges(model, "litert")[-1].trace
    assert trace is not None
    spoilt = trace.codes[:, 0].copy()
    try_program(table_program(spoilt), trial_inputs(model), trace.codes)
    spoilt[77] ^= 1
    with pytest.raises(ToolError, match="on 1 of 256 inputs"):
        try_program(table_program(spoilt), trial_inputs(model), trace.codes)


@pytest.mark.board
def test_the_assembly_text_gives_the_bytes_that_the_checksum_covers(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    kernel = generate_kernel(random_net(2).model(), optimize="table")
    assert kernel.program is not None
    image = assembled(kernel.sources["sinehil_infer.S"], tmp_path_factory.mktemp("as"))
    assert image == kernel.program.image
    assert code_spans(kernel.program) == [(0, 4), (8, 276)]  # all but the two bytes of the table's address
