"""What no input exceeds: over all paths through a kernel without loops, held against what runs take."""

from collections.abc import Callable

import pytest
from chains import chain_net
from random_nets import any_net

from sinehil.arithmetic import ORACLES
from sinehil_pipeline.codegen import generate_kernel
from sinehil_pipeline.codegen.avr.assembly import Assembly
from sinehil_pipeline.codegen.avr.machine import ConventionError, Machine
from sinehil_pipeline.codegen.avr.wcet import WorstCase, worst_case
from sinehil_pipeline.codegen.samples import sample_codes

Body = Callable[[Assembly], None]


def made(body: Body) -> WorstCase:
    assembly = Assembly()
    body(assembly)
    return worst_case(assembly.assemble())


def test_the_longer_path_counts_and_what_is_pushed_on_it() -> None:
    def body(assembly: Assembly) -> None:
        assembly.op("tst", "r24")
        assembly.op("breq", "short")  # 2 where it is taken
        assembly.op("push", "r24")
        assembly.op("sbrc", "r24", 0)  # 2 where it skips, and so 2 either way
        assembly.op("inc", "r24")
        assembly.op("pop", "r24")
        assembly.label("short")
        assembly.op("ret")

    assert made(body) == WorstCase(cycles=1 + 1 + 2 + 2 + 2, stack_bytes=1)


REFUSED: dict[str, tuple[list[tuple[object, ...]], str]] = {
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

    def body(assembly: Assembly) -> None:
        for first, *others in lines:
            if first == ":":
                assembly.label(str(others[0]))
            else:
                assembly.op(str(first), *map(str, others))

    with pytest.raises(ConventionError, match=words):
        made(body)


@pytest.mark.parametrize("seed", range(20))
def test_no_run_takes_more(seed: int) -> None:
    model = any_net(seed, widest=8).model()
    program = generate_kernel(model, ORACLES[seed % len(ORACLES)], "speed").program
    assert program is not None
    most, machine = worst_case(program), Machine(program)
    calls = [machine.call(x_q, model.outputs) for x_q in sample_codes(model, 200).tolist()]
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
