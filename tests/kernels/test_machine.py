"""The machine that runs generated functions notices when one breaks the calling convention; branches reach."""

from collections.abc import Callable

import pytest

from sinehil_kernels.avr.assembly import Assembly
from sinehil_kernels.avr.isa import EncodingError, encode
from sinehil_kernels.avr.machine import ConventionError, Machine

Body = Callable[[Assembly], None]


def run(body: Body, x_q: int = 5) -> tuple[int, int, int]:
    assembly = Assembly()
    body(assembly)
    call = Machine(assembly.assemble()).call([x_q], 1)
    return call.y_q[0], call.cycles, call.stack_bytes


def copy_code(assembly: Assembly) -> None:
    assembly.op("movw", "r26", "r24")
    assembly.op("ld", "r24", "X")
    assembly.op("movw", "r26", "r22")
    assembly.op("st", "X", "r24")


def test_a_function_gets_and_gives_codes_and_its_cycles_are_counted() -> None:
    def body(assembly: Assembly) -> None:
        copy_code(assembly)
        assembly.op("push", "r16")
        assembly.op("pop", "r16")
        assembly.op("ret")

    assert run(body, -7) == (-7, 1 + 2 + 1 + 2 + 2 + 2, 1)


BREAKS: dict[str, tuple[Body, str]] = {
    "a saved register": (lambda a: a.op("inc", "r28"), r"registers \[28\]"),
    "r1": (lambda a: a.op("inc", "r1"), "r1 is not zero"),
    "the stack": (lambda a: a.op("push", "r0"), "leaves the function|stack pointer"),
    "other memory": (lambda a: (a.op("clr", "r27"), a.op("st", "X", "r0"))[1], "outside RAM"),  # type: ignore[func-returns-value]
    "what is no memory": (lambda a: (a.op("clr", "r27"), a.op("ld", "r0", "X"))[1], "outside RAM"),  # type: ignore[func-returns-value]
    "a jump before the function": (lambda a: a.data(b"\xf0\xcf"), "leaves the function"),
    "an endless loop": (lambda a: (a.label("here"), a.op("rjmp", "here"))[1], "come to an end"),  # type: ignore[func-returns-value]
    "running into data": (lambda a: a.data(b"\xff\xff"), "not an instruction"),
}


@pytest.mark.parametrize("broken", BREAKS)
def test_a_broken_convention_is_noticed(broken: str) -> None:
    spoil, words = BREAKS[broken]

    def body(assembly: Assembly) -> None:
        copy_code(assembly)
        spoil(assembly)
        assembly.op("ret")

    with pytest.raises(ConventionError, match=words):
        run(body)


@pytest.mark.parametrize("distance", [0, 60, 63, 64, 65, 500])
def test_a_branch_reaches_however_far_its_label_is(distance: int) -> None:
    def body(assembly: Assembly) -> None:
        copy_code(assembly)
        assembly.op("cpi", "r24", 5)
        assembly.op("breq", "end")
        for _ in range(distance):
            assembly.op("inc", "r24")
        assembly.op("st", "X", "r24")
        assembly.label("end")
        assembly.op("ret")

    assert run(body, 5)[0] == 5
    assert run(body, 6)[0] == (6 + distance + 128) % 256 - 128


def test_operands_that_an_instruction_cannot_have_are_refused() -> None:
    for mnemonic, operands in (
        ("ldi", ("r5", 1)),
        ("ldi", ("r16", 256)),
        ("movw", ("r25", "r0")),
        ("mulsu", ("r24", "r16")),
        ("adiw", ("r24", 64)),
        ("ldd", ("r24", "Y+64")),
        ("breq", (64,)),
        ("mov", ("r1",)),
        ("mov", ("r32", "r0")),
        ("ld", ("r24", "W")),
    ):
        with pytest.raises(EncodingError):
            encode(mnemonic, operands)


def test_a_label_placed_twice_is_a_bug() -> None:
    assembly = Assembly()
    assembly.label("a")
    assembly.label("a")
    with pytest.raises(AssertionError, match="twice"):
        assembly.assemble()
