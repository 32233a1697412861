"""What no input exceeds: over all paths through a kernel without loops, held against what runs take."""

from itertools import product

import pytest
from chains import chain_net
from random_nets import any_net
from tests.sampling import first

from sinehil.model.arithmetic import ORACLES
from sinehil_kernels import generate_kernel
from sinehil_kernels.avr.assembly import Assembly
from sinehil_kernels.avr.machine import ConventionError, Machine
from sinehil_kernels.avr.trial import trial_codes
from sinehil_kernels.avr.wcet import WorstCase, worst_case


def branch_on_each_bit(assembly: Assembly) -> None:
    """Add a function in which each bit of the code decides one branch, so that some code takes every path."""
    assembly.op("movw", "r26", "r24")
    assembly.op("ld", "r24", "X")
    for bit, (branch, nops) in enumerate(product(("brts", "brtc"), (0, 3))):
        assembly.op("bst", "r24", bit)
        assembly.op(branch, f"past_{bit}")
        if nops:
            assembly.op("push", "r0")
            assembly.op("pop", "r0")
        for _ in range(nops):
            assembly.op("nop")
        assembly.label(f"past_{bit}")
    for bit, (skip, skipped) in enumerate(product(("sbrc", "sbrs"), ("adiw", "rjmp")), 4):
        assembly.op(skip, "r24", bit)
        assembly.op(skipped, *(("r26", 1) if skipped == "adiw" else (f"over_{bit}",)))
        assembly.op("nop")
        assembly.op("nop")
        assembly.label(f"over_{bit}")
    assembly.op("ret")


def test_it_is_what_the_worst_of_all_codes_takes() -> None:
    """Where every path is taken by some code."""
    assembly = Assembly()
    branch_on_each_bit(assembly)
    program = assembly.assemble()
    machine = Machine(program)
    calls = [machine.call([code], 1) for code in range(-128, 128)]
    assert len({call.cycles for call in calls}) > 10
    assert worst_case(program) == WorstCase(
        max(call.cycles for call in calls), max(call.stack_bytes for call in calls)
    )


REFUSED: dict[str, tuple[list[tuple[str, ...]], str]] = {
    "a loop": ([(":", "again"), ("dec", "r24"), ("brne", "again"), ("ret",)], "a loop"),
    "a call": ([("rcall", "there"), (":", "there"), ("ret",)], "a call"),
    "something left on the stack": ([("push", "r24"), ("ret",)], "1 bytes are on the stack"),
    "a stack that one path leaves": (
        [("breq", "on"), ("push", "r24"), (":", "on"), ("pop", "r24"), ("ret",)],
        "different stacks",
    ),
    "no return": ([("nop",)], "leaves the function"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_it_cannot_answer_for_is_refused(name: str) -> None:
    lines, words = REFUSED[name]

    assembly = Assembly()
    for mnemonic, *others in lines:
        if mnemonic == ":":
            assembly.label(others[0])
        else:
            assembly.op(mnemonic, *others)
    with pytest.raises(ConventionError, match=words):
        worst_case(assembly.assemble())


@pytest.mark.parametrize("seed", first(4, range(20)))
def test_no_run_takes_more(seed: int) -> None:
    model = any_net(seed, widest=8).model()
    program = generate_kernel(model, ORACLES[seed % len(ORACLES)], "speed").program
    assert program is not None
    most, machine = worst_case(program), Machine(program)
    calls = [machine.call(x_q, model.outputs) for x_q in trial_codes(model, 200).tolist()]
    assert max(call.cycles for call in calls) <= most.cycles
    assert max(call.stack_bytes for call in calls) <= most.stack_bytes


def test_a_reader_of_the_kernel_is_told() -> None:
    kernel = generate_kernel(chain_net(1, (4, 8, 3)).model(), "litert", "speed")
    assert kernel.program is not None
    assert kernel.figures is not None
    most = worst_case(kernel.program)
    assert (kernel.figures.wcet_cycles, kernel.figures.stack_bytes) == (most.cycles, most.stack_bytes)
    assert f"no input takes more than {most.cycles}" in kernel.sources["sinehil_infer.S"]
    assert kernel.figures.worst_cycles <= most.cycles < 3 * kernel.figures.worst_cycles
