"""The worst-case execution time of a function without loops, and its deepest stack: over all paths, taken or not.

What is run on some inputs says nothing of others. Here each branch is thought to go both ways, so that a further look
of one neuron is counted though no input at hand needs it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from sinehil_pipeline.codegen.avr.assembly import Program
from sinehil_pipeline.codegen.avr.chip import SPL, ConventionError
from sinehil_pipeline.codegen.avr.isa import ALL_FORMS, decode

ONE_SKIPPED = 2  # words to where a skip leads; all instructions here have one word
SKIPS = ("cpse", "sbrc", "sbrs")


@dataclass(frozen=True)
class WorstCase:
    """Cycles without call and return, and bytes of stack, that no input exceeds."""

    cycles: int
    stack_bytes: int


@dataclass(frozen=True)
class _Step:
    """An instruction: where it may lead, at which cost each, and how many bytes it pushes."""

    leads: tuple[tuple[int, int], ...]
    pushed: int


def worst_case(program: Program) -> WorstCase:
    """Return the most of all paths from the first instruction to a return.

    ConventionError if there is a loop or a call, if paths meet with different stacks, or one returns with something on
    it. A stack pointer that is set (OUT) takes off what was pushed, which is left counted: more is never on it.
    """
    steps: dict[int, _Step] = {}
    ordered = list(_order(program, steps))
    cycles, stack = {0: 0}, {0: 0}
    sets_stack = any(_is_stack_set(program.words[at]) for at in steps)
    wcet_cycles = deepest = 0
    for at in reversed(ordered):
        step = steps[at]
        after = stack[at] + step.pushed
        deepest = max(deepest, after)
        if not step.leads:
            wcet_cycles = max(wcet_cycles, cycles[at])
            _require(sets_stack or after == 0, f"{after} bytes are on the stack at the return at {at:#x}")
        for lead, cost in step.leads:
            cycles[lead] = max(cycles.get(lead, 0), cycles[at] + cost)
            _require(stack.setdefault(lead, after) == after, f"paths meet at {lead:#x} with different stacks")
    return WorstCase(wcet_cycles, deepest)


def _order(program: Program, steps: dict[int, _Step]) -> Iterator[int]:
    """Fill ``steps`` by address, and yield each address after all that it can lead to."""
    open_: dict[int, Iterator[tuple[int, int]]] = {}
    waiting = [0]
    while waiting:
        at = waiting[-1]
        if at not in open_:
            _require(0 <= at < len(program.words), f"it leaves the function for {at:#x}")
            steps[at] = _step(program.words[at], at)
            open_[at] = iter(steps[at].leads)
        lead = next(open_[at], None)
        if lead is None:
            waiting.pop()
            yield at
        elif lead[0] not in open_:
            waiting.append(lead[0])
        else:
            _require(lead[0] not in waiting, f"there is a loop at {lead[0]:#x}")


def _step(word: int, at: int) -> _Step:
    name, operands = decode(word)
    cost = ALL_FORMS[name].cycles
    _require(name != "rcall", f"there is a call at {at:#x}")
    if name == "ret":
        return _Step((), 0)
    if name == "rjmp":
        return _Step(((at + 1 + operands[0], cost),), 0)
    goes_on = (at + 1, cost)
    if name.startswith("br"):
        return _Step((goes_on, (at + 1 + operands[0], cost + 1)), 0)
    if name in SKIPS:
        return _Step((goes_on, (at + ONE_SKIPPED, cost + 1)), 0)
    return _Step((goes_on,), (name == "push") - (name == "pop"))


def _is_stack_set(word: int) -> bool:
    name, operands = decode(word)
    return name == "out" and operands[0] == SPL


def _require(kept: bool, broken: str) -> None:
    if not kept:
        raise ConventionError(broken)
