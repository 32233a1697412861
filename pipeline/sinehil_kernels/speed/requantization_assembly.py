"""Assembly of a requantization: test for inactivity, the byte, its clamps."""

from collections.abc import Sequence

from sinehil_kernels.avr.assembly import Assembly, Label
from sinehil_kernels.speed.form16 import Form16
from sinehil_kernels.speed.registers import BYTE, FACTOR, INPUT, LOW, THIRD, ZERO, X, Z, is_upper
from sinehil_kernels.speed.requantization_plan import Requantization, SplitForm, StepSearch, scratch
from sinehil_kernels.speed.wide_forms import Form24, Form32

MOST_ASIDE_WORDS = 200  # not the long searches of a step function


def emit_inactive_test(
    assembly: Assembly, plan: Requantization, u: Sequence[str], inactive: str, mirrored: bool = False
) -> None:
    """Branch to ``inactive`` if the neuron is; ``mirrored``: INPUT is 255 - (x + 128)."""
    if plan.inactive_test == "codes":
        first, end = plan.codes
        if mirrored:
            first, end = (None if bound is None else 256 - bound for bound in (end, first))
        _inactive_outside(assembly, first, end, inactive)
    elif plan.inactive_test == "sign":
        assembly.op("tst", u[-1])
        assembly.op("brmi", inactive)
    elif plan.inactive_test == "compare":
        if is_upper(u[1]):
            assembly.op("cpi", u[1], plan.from_high_byte)
        else:
            assembly.op("ldi", FACTOR, plan.from_high_byte)
            assembly.op("cp", u[1], FACTOR)
        assembly.op("brsh", inactive)


def _inactive_outside(assembly: Assembly, first: int | None, end: int | None, inactive: str) -> None:
    if end is None:
        assembly.op("cpi", INPUT, first or 0, note="rests by the input")
        assembly.op("brlo", inactive)
        return
    compared = INPUT
    if first is not None:
        compared = FACTOR
        assembly.op("mov", FACTOR, INPUT)
        assembly.op("subi", FACTOR, first)
    assembly.op("cpi", compared, end - (first or 0), note="rests by the input")
    assembly.op("brsh", inactive)


def emit_byte(assembly: Assembly, plan: Requantization, u: Sequence[str], top: int) -> str:
    """Write form and clamp of an active neuron; return the register of the byte."""
    beyond = assembly.new_label("beyond")
    for accumulator, own in plan.exceptions:
        _emit_exception(assembly, plan, u, accumulator - plan.offset, own, beyond)
    if plan.limit is not None:
        _emit_limit(assembly, plan, u, top, beyond)
    if isinstance(plan.form, SplitForm):
        return _emit_split(assembly, plan.form, u, top)
    byte = plan.form.emit(assembly, u)
    if not isinstance(plan.form, StepSearch) and plan.largest > top:
        _emit_clamp(assembly, plan, u, byte, top)
    if plan.fallback is not None:
        _emit_second_check(assembly, plan, plan.fallback, u, top, beyond)
    assembly.label(beyond)
    return byte


def _emit_limit(assembly: Assembly, plan: Requantization, u: Sequence[str], top: int, beyond: str) -> None:
    assert plan.limit is not None
    within = assembly.new_label("within")
    assembly.op("ldi", FACTOR, plan.limit & 0xFF, note="at the top from here on")
    assembly.op("cp", u[1], FACTOR)
    if plan.width == 3:
        assembly.op("ldi", FACTOR, plan.limit >> 8)
        assembly.op("cpc", u[2], FACTOR)
    assembly.op("brlo", within)
    assembly.op("ldi", byte_register(plan), top)
    assembly.op("rjmp", beyond)
    assembly.label(within)


def _emit_exception(
    assembly: Assembly, plan: Requantization, u: Sequence[str], value: int, byte: int, beyond: str
) -> None:
    other = assembly.new_label("other")
    for index, register in enumerate(u):
        assembly.op("ldi", FACTOR, value >> 8 * index & 0xFF, note="" if index else f"byte {byte} of its own")
        assembly.op("cpc" if index else "cp", register, FACTOR)
    assembly.op("brne", other)
    assembly.op("ldi", byte_register(plan), byte)
    assembly.op("rjmp", beyond)
    assembly.label(other)


def _emit_second_check(
    assembly: Assembly,
    plan: Requantization,
    fallback: Requantization,
    u: Sequence[str],
    top: int,
    beyond: str,
) -> None:
    """Write the test, and out of the way what is seldom needed, unless it is long."""
    assert isinstance(plan.form, Form16)
    aside_start, aside = assembly.new_label("look"), assembly.beside()
    for _ in range(plan.form.shift):
        aside.op("lsr", u[1])
        aside.op("ror", u[0])
    _emit_with_scratch(aside, fallback, plan.offset, u, top)
    assembly.op("cpi", LOW, plan.guard)
    if aside.words > MOST_ASIDE_WORDS:
        assembly.op("brsh", beyond)
        assembly.items += aside.items
    else:
        assembly.op("brlo", aside_start)
        aside.op("rjmp", beyond)
        assembly.aside += [Label(aside_start), *aside.items]
    assembly.aside += aside.aside


def _emit_with_scratch(
    assembly: Assembly, other: Requantization, offset: int, u: Sequence[str], top: int
) -> None:
    """Set BYTE as below; the registers that the form needs are saved, and u is moved where it has some of them."""
    needed = [register for form in other.forms for register in scratch(form)]
    moved = u
    if set(needed) & set(u):
        moved = [register for register in ("r20", "r21", *X, *Z) if register not in u][: len(u)]
    saved = sorted({*needed, *moved} - set(u))
    for register in saved:
        assembly.op("push", register)
    if moved is not u:
        for register, byte in zip(moved, u, strict=True):
            assembly.op("mov", register, byte)
    _emit_other(assembly, other, offset, moved, top)
    for register in reversed(saved):
        assembly.op("pop", register)


def _emit_split(assembly: Assembly, split: SplitForm, u: Sequence[str], top: int) -> str:
    negative, done = assembly.new_label("negative"), assembly.new_label("either")
    assembly.op("tst", u[-1])
    assembly.op("brmi", negative)
    _emit_other(assembly, split.other, 0, u, top)
    assembly.op("rjmp", done)
    assembly.label(negative)
    _emit_other(assembly, split.negative, 0, u, top)
    assembly.label(done)
    return BYTE


def _emit_other(assembly: Assembly, other: Requantization, offset: int, u: Sequence[str], top: int) -> None:
    """Set BYTE by a requantisation with an offset of its own, where u is less ``offset``."""
    assembly.comment(f"u = accumulator - ({other.offset}): {other.form.text()}")
    _subtract(assembly, u, other.offset - offset)
    byte, inactive = byte_register(other), assembly.new_label("rests")
    if other.inactive_test:
        assembly.op("mov", byte, ZERO)
        emit_inactive_test(assembly, other, u[: other.width], inactive)
    emit_byte(assembly, other, u[: other.width], top)
    assembly.label(inactive)
    if byte != BYTE:
        assembly.op("mov", BYTE, byte)


def _subtract(assembly: Assembly, u: Sequence[str], value: int) -> None:
    if not value:
        return
    for index, register in enumerate(u):
        byte = value >> 8 * index & 0xFF
        if is_upper(register):
            assembly.op("sbci" if index else "subi", register, byte)
        else:
            assembly.op("ldi", FACTOR, byte)
            assembly.op("sbc" if index else "sub", register, FACTOR)


def byte_register(plan: Requantization) -> str:
    """Return the register that the byte comes in."""
    return THIRD if isinstance(plan.form, Form24 | Form32) else BYTE


def _emit_clamp(assembly: Assembly, plan: Requantization, u: Sequence[str], byte: str, top: int) -> None:
    done = assembly.new_label("clamped")
    if isinstance(plan.form, Form24) and plan.form.long and plan.largest > 255:
        _clamp_word(assembly, byte, u[2], top, done)
    elif plan.largest > 255:
        _clamp_carry(assembly, byte, top, done)
    else:
        assembly.op("cpi", byte, top + 1)
        assembly.op("brlo", done)
    assembly.op("ldi", byte, top)
    assembly.label(done)


def _clamp_word(assembly: Assembly, byte: str, above: str, top: int, done: str) -> None:
    if top == 255:
        assembly.op("tst", above)
        assembly.op("breq", done)
    else:
        assembly.op("cpi", byte, top + 1)
        assembly.op("cpc", above, ZERO)
        assembly.op("brlo", done)


def _clamp_carry(assembly: Assembly, byte: str, top: int, done: str) -> None:
    if top == 255:
        assembly.op("brcc", done)
        return
    above = assembly.new_label("above")
    assembly.op("brcs", above)
    assembly.op("cpi", byte, top + 1)
    assembly.op("brlo", done)
    assembly.label(above)
