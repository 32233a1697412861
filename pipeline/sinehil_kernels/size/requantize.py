"""The part of the loop that turns a sum into a stored byte, by form."""

from functools import singledispatch

from sinehil_kernels.avr.assembly import Assembly
from sinehil_kernels.size.constants import FIRST, LAST_CARRY
from sinehil_kernels.size.forms import Short, Steps
from sinehil_kernels.size.long import Long
from sinehil_kernels.size.loop import Loop
from sinehil_kernels.size.requantize_long import long_line, times_byte_long
from sinehil_kernels.size.requantize_parts import (
    CEILING,
    UNROLLED_SHIFTS,
    Registers,
    compare,
    corrections,
    most_flat,
    shift_left,
    skip,
)


def has_looped_shifts(loop: Loop) -> bool:
    """Whether the shifts to the left are a loop, unless they are ``flat_shifts``."""
    form = loop.form
    if isinstance(form, Short):
        return form.after <= LAST_CARRY and form.after > most_flat(short_parts(loop, ""))
    return isinstance(form, Long) and UNROLLED_SHIFTS < form.after < FIRST


def requantize(kernel: Assembly, loop: Loop, r: Registers) -> None:
    """Add what brings the sum into ``r.result``, as signed byte."""
    _line(loop.form, kernel, loop, r)
    if loop.needs_top:
        kernel.op("lpm", r.stored, "Z+", note="where this neuron saturates")
        kernel.op("cp", r.result, r.stored)
        skip(kernel, "brcs", "mov", r.result, r.stored, note="the layer's highest code")
    if loop.needs_floor:
        kernel.op("sbrc", r.sums[-1], 7, note="below zero: the lowest code")
        kernel.op("ldi", r.result, 0)
    if not isinstance(loop.form, Steps):
        kernel.op("subi", r.result, 128)
    if loop.has_tables:
        _table(kernel, loop, r)


@singledispatch
def _line(form: object, *_: object) -> None:
    raise TypeError(f"no code for {form}")


@_line.register
def _(form: Short, kernel: Assembly, loop: Loop, r: Registers) -> None:
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
    assert isinstance(loop.form, Short)
    if not loop.form.exact:
        return "r26", "r27", weight
    return ("r27", weight) if loop.inlined else ("r26", "r27")


def _products(kernel: Assembly, form: Short, r: Registers) -> None:
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


def subroutines(kernel: Assembly, loop: Loop, r: Registers) -> None:
    """Add, behind the function's end, what it calls: sum = sum + v * (next byte of the stream) >> 8."""
    if isinstance(loop.form, Long):
        times_byte_long(kernel, r)
    elif isinstance(loop.form, Short) and loop.form.exact and not loop.inlined:
        kernel.label("times_byte")
        _times_byte(kernel, r)
        _next_byte(kernel, r)
        kernel.op("ret")


def _times_byte(kernel: Assembly, r: Registers) -> None:
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


def _next_byte(kernel: Assembly, r: Registers) -> None:
    kernel.op("mov", "r26", "r27")
    kernel.op("mov", "r27", r.weight)


@_line.register
def _(form: Long, kernel: Assembly, loop: Loop, r: Registers) -> None:
    long_line(form, kernel, loop, r)


@_line.register
def _(_form: Steps, kernel: Assembly, _loop: Loop, r: Registers) -> None:
    kernel.op("lpm", "r26", "Z+", note="steps")
    kernel.op("ldi", r.result, 128)
    kernel.label("step")
    compare(kernel, r.sums, r.weight)
    kernel.op("sbci", r.result, 255, note="one more from here on")
    kernel.op("dec", "r26")
    kernel.op("brne", "step")


def _table(kernel: Assembly, loop: Loop, r: Registers) -> None:
    """Look the code up in the layer's table; the stream says how far from here that is."""
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
