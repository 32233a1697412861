"""Assembly from a sum to a stored byte, by form."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import singledispatch

from sinehil_kernels.avr.assembly import Assembly
from sinehil_kernels.size.loop import Loop
from sinehil_kernels.size.loop_forms import FIRST, LAST_CARRY, LongForm, ShortForm, StepsForm

UNROLLED_SHIFTS, UNROLLED_SHORT_SHIFTS = 2, 3  # of three registers, of two
CEILING = "beyond a byte: the highest code"


@dataclass(frozen=True)
class LoopRegisters:
    """``weight``, ``stored`` and X (r26:27) are free between the sum and the next neuron."""

    end: str
    count: str
    sums: tuple[str, ...]
    weight: str
    stored: str
    spare: str
    result: str


def most_flat(registers: Sequence[str]) -> int:
    """Return how many shifts of them are written one after the other, since a loop would take more bytes."""
    return UNROLLED_SHIFTS if registers[2:] else UNROLLED_SHORT_SHIFTS


def shift_left(kernel: Assembly, count: int, registers: tuple[str, ...], counter: str, *, flat: bool) -> None:
    """Shift left ``count`` times, the lowest byte first; by a loop where that is smaller, unless ``flat``."""
    first, *others = registers
    looped = not flat and count > most_flat(registers)
    label = kernel.new_label("shift")
    if looped:
        kernel.op("ldi", counter, count)
        kernel.label(label)
    for _ in range(1 if looped else count):
        kernel.op("lsl", first)
        for name in others:
            kernel.op("rol", name)
    if looped:
        kernel.op("dec", counter)
        kernel.op("brne", label)


def corrections(kernel: Assembly, r: LoopRegisters, count: str) -> None:
    """Add the stream's corrections for sums from some on; as many for every input."""
    other = r.spare or r.stored
    kernel.op("lpm", count, "Z+", note="corrections")
    kernel.op("rjmp", "corrected")
    kernel.label("correction")
    compare(kernel, r.sums, other)
    kernel.op("lpm", other, "Z+")
    skip(kernel, "brcs", "add", r.result, other, note="for sums from here on")
    kernel.label("corrected")
    kernel.op("subi", count, 1)
    kernel.op("brcc", "correction")


def compare(kernel: Assembly, sums: tuple[str, ...], other: str) -> None:
    """Compare the sum with the stream's next bytes."""
    for place, name in enumerate(sums):
        kernel.op("lpm", other, "Z+")
        kernel.op("cpc" if place else "cp", name, other)


def skip(kernel: Assembly, branch: str, mnemonic: str, *operands: str | int, note: str = "") -> None:
    """Do one instruction unless ``branch`` is taken; as many cycles either way."""
    over = kernel.new_label("over")
    kernel.op(branch, over)
    kernel.op(mnemonic, *operands, note=note)
    kernel.label(over)


def long_line(form: LongForm, kernel: Assembly, loop: Loop, r: LoopRegisters) -> None:
    """Add what multiplies the sum."""
    parts = ("r26", "r27", r.weight, r.stored)
    given = parts[form.multiplier_bytes - form.addend_bytes : form.multiplier_bytes]
    for name in parts:
        if name not in given:
            kernel.op("clr", name)
    if form.split:
        compare(kernel, r.sums, r.spare)
    for name in given:
        kernel.op("lpm", name, "Z+", note="addend below 0" if form.split else "addend")
    for name in given if form.split else ():
        kernel.op("lpm", r.spare, "Z+", note="addend from 0 on")
        skip(kernel, "brcs", "mov", name, r.spare)
    for _ in range(form.multiplier_bytes):
        kernel.op("rcall", "times_byte")
    if form.after != FIRST:
        shift_left(kernel, form.after, parts[:3], r.stored, flat=loop.flat_shifts)
    if loop.needs_ceiling:
        if form.after == FIRST:
            kernel.op("or", r.weight, "r27")
        else:
            kernel.op("tst", r.weight)
        skip(kernel, "breq", "ldi", r.result, 255, note=CEILING)
    if form.corrections:
        corrections(kernel, r, count=r.stored)


def times_byte_long(kernel: Assembly, r: LoopRegisters) -> None:
    """Add the subroutine that adds v times the stream's next byte, and moves the sum down by one byte."""
    p0, p1, p2, p3 = "r26", "r27", r.weight, r.stored
    low, middle, high = r.sums
    kernel.label("times_byte")
    kernel.op("lpm", r.spare, "Z+", note="multiplier")
    kernel.op("mul", low, r.spare)
    kernel.op("add", p0, "r0")
    kernel.op("adc", p1, "r1")
    kernel.op("clr", "r1")
    kernel.op("adc", p2, "r1")
    kernel.op("adc", p3, "r1")
    kernel.op("mul", middle, r.spare)
    kernel.op("add", p1, "r0")
    kernel.op("adc", p2, "r1")
    kernel.op("clr", "r1")
    kernel.op("adc", p3, "r1")
    kernel.op("mul", high, r.spare)
    kernel.op("add", p2, "r0")
    kernel.op("adc", p3, "r1")
    kernel.op("mov", p0, p1)
    kernel.op("mov", p1, p2)
    kernel.op("mov", p2, p3)
    kernel.op("clr", p3)
    kernel.op("ret")


def has_looped_shifts(loop: Loop) -> bool:
    """Whether the shifts to the left are a loop, unless they are ``flat_shifts``."""
    form = loop.form
    if isinstance(form, ShortForm):
        return form.after <= LAST_CARRY and form.after > most_flat(short_parts(loop, ""))
    return isinstance(form, LongForm) and UNROLLED_SHIFTS < form.after < FIRST


def requantize(kernel: Assembly, loop: Loop, r: LoopRegisters) -> None:
    """Add what brings the sum into ``r.result``, as signed byte."""
    _line(loop.form, kernel, loop, r)
    if loop.needs_top:
        kernel.op("lpm", r.stored, "Z+", note="where this neuron saturates")
        kernel.op("cp", r.result, r.stored)
        skip(kernel, "brcs", "mov", r.result, r.stored, note="the layer's highest code")
    if loop.needs_floor:
        kernel.op("sbrc", r.sums[-1], 7, note="below zero: the lowest code")
        kernel.op("ldi", r.result, 0)
    if not isinstance(loop.form, StepsForm):
        kernel.op("subi", r.result, 128)
    if loop.has_tables:
        _table(kernel, loop, r)


@singledispatch
def _line(form: object, *_: object) -> None:
    raise TypeError(f"no code for {form}")


@_line.register
def _(form: ShortForm, kernel: Assembly, loop: Loop, r: LoopRegisters) -> None:
    low, middle, *high = r.sums
    for _ in range(form.before):
        kernel.op("asr" if form.signed else "lsr", high[0])
        kernel.op("ror", middle)
        kernel.op("ror", low)
    if form.exact:
        kernel.op("clr", "r26")
        if form.addend:
            kernel.op("lpm", "r27", "Z+", note="addend")
        else:
            kernel.op("clr", "r27")
        for left in reversed(range(form.multiplier_bytes)):
            if not loop.inlined:
                kernel.op("rcall", "times_byte")
                continue
            _times_byte(kernel, r)
            if left:
                _next_byte(kernel, r)
    else:
        _products(kernel, form, r)
    parts = short_parts(loop, r.weight)
    if form.after <= LAST_CARRY:
        shift_left(kernel, form.after, parts, r.stored, flat=loop.flat_shifts)
    else:
        _shift_right(kernel, 8 - form.after, parts[-2:])
    if loop.needs_ceiling and form.after <= LAST_CARRY:
        skip(kernel, "brcc", "ldi", r.result, 255, note=CEILING)
    elif loop.needs_ceiling:
        kernel.op("tst", parts[-1])
        skip(kernel, "breq", "ldi", r.result, 255, note=CEILING)
    if loop.needs_far:
        kernel.op("cpi", high[0], 1)
        skip(kernel, "brlt", "ldi", r.result, 255, note=CEILING)
    if form.corrections:
        corrections(kernel, r, count="r27" if r.result == "r26" else "r26")


def short_parts(loop: Loop, weight: str) -> tuple[str, ...]:
    """Return where a short form's sum of products lies, lowest byte first."""
    assert isinstance(loop.form, ShortForm)
    if not loop.form.exact:
        return "r26", "r27", weight
    return ("r27", weight) if loop.inlined else ("r26", "r27")


def _products(kernel: Assembly, form: ShortForm, r: LoopRegisters) -> None:
    """weight:r27:r26 = sum * multiplier >> 8, without the product of the low bytes."""
    low, middle, *_ = r.sums
    factor = r.stored
    if form.multiplier_bytes == 2:
        kernel.op("lpm", factor, "Z+", note="multiplier, low")
        kernel.op("mul", middle, factor)
        kernel.op("movw", "r26", "r0")
    kernel.op("lpm", factor, "Z+", note="multiplier, high")
    kernel.op("mul", low, factor)
    if form.multiplier_bytes == 2:
        kernel.op("add", "r26", "r0")
        kernel.op("adc", "r27", "r1")
    else:
        kernel.op("movw", "r26", "r0")
    kernel.op("clr", r.weight)
    if form.multiplier_bytes == 2:
        kernel.op("adc", r.weight, r.weight)
    kernel.op("mul", middle, factor)
    kernel.op("add", "r27", "r0")
    kernel.op("adc", r.weight, "r1")


def _shift_right(kernel: Assembly, count: int, registers: tuple[str, ...]) -> None:
    low, high = registers
    for _ in range(count):
        kernel.op("lsr", high)
        kernel.op("ror", low)


def subroutines(kernel: Assembly, loop: Loop, r: LoopRegisters) -> None:
    """Add, behind the function's end, what it calls: sum = sum + v * (next byte of the stream) >> 8."""
    if isinstance(loop.form, LongForm):
        times_byte_long(kernel, r)
    elif isinstance(loop.form, ShortForm) and loop.form.exact and not loop.inlined:
        kernel.label("times_byte")
        _times_byte(kernel, r)
        _next_byte(kernel, r)
        kernel.op("ret")


def _times_byte(kernel: Assembly, r: LoopRegisters) -> None:
    low, middle, *_ = r.sums
    kernel.op("lpm", r.stored, "Z+", note="multiplier")
    kernel.op("mul", low, r.stored)
    kernel.op("add", "r26", "r0")
    kernel.op("adc", "r27", "r1")
    kernel.op("clr", r.weight)
    kernel.op("adc", r.weight, r.weight)
    kernel.op("mul", middle, r.stored)
    kernel.op("add", "r27", "r0")
    kernel.op("adc", r.weight, "r1")


def _next_byte(kernel: Assembly, r: LoopRegisters) -> None:
    kernel.op("mov", "r26", "r27")
    kernel.op("mov", "r27", r.weight)


@_line.register
def _(form: LongForm, kernel: Assembly, loop: Loop, r: LoopRegisters) -> None:
    long_line(form, kernel, loop, r)


@_line.register
def _(_form: StepsForm, kernel: Assembly, _loop: Loop, r: LoopRegisters) -> None:
    kernel.op("lpm", "r26", "Z+", note="steps")
    kernel.op("ldi", r.result, 128)
    kernel.label("step")
    compare(kernel, r.sums, r.weight)
    kernel.op("sbci", r.result, 255, note="one more from here on")
    kernel.op("dec", "r26")
    kernel.op("brne", "step")


def _table(kernel: Assembly, loop: Loop, r: LoopRegisters) -> None:
    """Look the code up in the layer's table; the stream has the distance to it."""
    code, low, high = r.stored, *r.sums[:2]
    past = kernel.new_label("no_table")
    if not all(layer.table is not None for layer in loop.layers):
        kernel.op("brtc", past)
    if r.result != code:
        kernel.op("mov", code, r.result)
    kernel.op("lpm", low, "Z+", note="how far to the table")
    kernel.op("lpm", high, "Z+")
    kernel.op("movw", "r26", "r30")
    kernel.op("add", "r30", low)
    kernel.op("adc", "r31", high)
    kernel.op("add", "r30", code)
    kernel.op("clr", low)
    kernel.op("adc", "r31", low)
    kernel.op("lpm", code, "Z")
    kernel.op("movw", "r30", "r26")
    if r.result != code:
        kernel.op("mov", r.result, code)
    kernel.label(past)
