"""The long form's code."""

from sinehil_kernels.avr.assembly import Assembly
from sinehil_kernels.size.constants import FIRST
from sinehil_kernels.size.long import Long
from sinehil_kernels.size.loop import Loop
from sinehil_kernels.size.requantize_parts import CEILING, Registers, compare, corrections, shift_left, skip


def long_line(form: Long, kernel: Assembly, loop: Loop, r: Registers) -> None:
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


def times_byte_long(kernel: Assembly, r: Registers) -> None:
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
