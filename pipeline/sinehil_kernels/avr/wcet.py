"""Compute the worst-case execution time and the deepest stack of a function without loops, over all its paths.

What is run on some inputs says nothing of others. Here each branch is thought to go both ways, so that a further look
of one neuron is counted though no input at hand needs it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from sinehil_kernels.avr.assembly import Program
from sinehil_kernels.avr.chip import SPL, ConventionError
from sinehil_kernels.avr.isa import ALL_FORMS, decode

ONE_SKIPPED = 2  # words to where a skip leads; all instructions here have one word
SKIPS = ("cpse", "sbrc", "sbrs")


@dataclass(frozen=True)
class WorstCase:
    """Cycles without call and return, and bytes of stack, that no input exceeds."""

    cycles: int
    stack_bytes: int


@dataclass(frozen=True)
class _Step:
    """An instruction: where it may lead, at which cost each, how many bytes it pushes, whether it sets the stack."""

    leads: tuple[tuple[int, int], ...]
    pushed: int = 0
    sets_stack: bool = False


def worst_case(program: Program) -> WorstCase:
    """Return the most of all paths from the first instruction to a return.

    ConventionError if there is a loop or a call, if paths meet with different stacks, or one returns with something on
    it. A stack pointer that is set (OUT) takes off what was pushed, which is left counted: more is never on it.
    """
    steps = _steps(program)
    sets_stack = any(step.sets_stack for step in steps.values())
    cycles, stack = {0: 0}, {0: 0}
    worst_cycles = deepest = 0
    for at, step in reversed(steps.items()):
        after = stack[at] + step.pushed
        deepest = max(deepest, after)
        if not step.leads:
            worst_cycles = max(worst_cycles, cycles[at])
            _require(sets_stack or after == 0, f"{after} bytes are on the stack at the return at {at:#x}")
        for lead, cost in step.leads:
            cycles[lead] = max(cycles.get(lead, 0), cycles[at] + cost)
            _require(stack.setdefault(lead, after) == after, f"paths meet at {lead:#x} with different stacks")
    return WorstCase(worst_cycles, deepest)


def _steps(program: Program) -> dict[int, _Step]:
    """Return by address what can be executed, each instruction after all that it can lead to."""
    done: dict[int, _Step] = {}
    under_way: dict[int, tuple[_Step, Iterator[tuple[int, int]]]] = {}
    path = [0]
    while path:
        at = path[-1]
        if at not in under_way:
            _require(0 <= at < len(program.words), f"it leaves the function for {at:#x}")
            step = _step(program.words[at], at)
            under_way[at] = step, iter(step.leads)
        step, leads = under_way[at]
        lead, _ = next(leads, (None, 0))
        if lead is None:
            done[at] = step
            path.pop()
        elif lead not in under_way:
            path.append(lead)
        else:
            _require(lead in done, f"there is a loop at {lead:#x}")
    return done


def _step(word: int, at: int) -> _Step:
    name, operands = decode(word)
    cost = ALL_FORMS[name].cycles
    _require(name != "rcall", f"there is a call at {at:#x}")
    if name == "ret":
        return _Step(())
    if name == "rjmp":
        return _Step(((at + 1 + operands[0], cost),))
    goes_on = (at + 1, cost)
    if name.startswith("br"):
        return _Step((goes_on, (at + 1 + operands[0], cost + 1)))
    if name in SKIPS:
        return _Step((goes_on, (at + ONE_SKIPPED, cost + 1)))
    pushed = (name == "push") - (name == "pop")
    return _Step((goes_on,), pushed, sets_stack=name == "out" and operands[0] == SPL)


def _require(kept: bool, broken: str) -> None:
    if not kept:
        raise ConventionError(broken)
