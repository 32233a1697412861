"""Assemble the loop: code by form, then the stream."""

from dataclasses import dataclass

from sinehil_kernels.avr.assembly import Assembly, Instruction, Program
from sinehil_kernels.size.loop import Loop, stream_rows
from sinehil_kernels.size.loop_forms import FIRST, LAST_CARRY, LongForm, StepsForm
from sinehil_kernels.size.loop_requantization import LoopRegisters, requantize, short_parts, subroutines

FREE = ("r18", "r19", "r20", "r21", "r22", "r23")
SAVED = tuple(f"r{number}" for number in range(17, 1, -1))
UNROLLED_POPS = 3
INPUTS = "r24"  # r24:25, where the layer's inputs begin
ADIW_LIMIT = 63
REQUANTIZE, REQUANTIZED = "requantize", "requantized"  # labels: from a sum to a stored byte


@dataclass(frozen=True)
class LoopFrame:
    """Which registers the loop has, which of them it must save, and whether y_q waits on the stack."""

    registers: LoopRegisters
    saved: tuple[str, ...]
    y_on_stack: bool


def loop_program(loop: Loop) -> Program:
    """Return the function ``sinehil_infer``."""
    kernel = _code(loop)
    kernel.label("stream")
    kernel.rows(stream_rows(loop))
    return kernel.assemble()


def code_bytes(loop: Loop) -> int:
    """Return the bytes of the code without the stream, if every branch reaches."""
    return 2 * sum(isinstance(item, Instruction) for item in _code(loop).items)


def _code(loop: Loop) -> Assembly:
    kernel = Assembly()
    frame = frame_of(loop)
    r = frame.registers
    _begin(kernel, frame)
    kernel.label("layer")
    kernel.op("lpm", r.end, "Z+", note="inputs of this layer")
    if loop.has_tables:
        kernel.op("bst", r.end, 7, note="T: its codes go through a table")
        kernel.op("andi", r.end, 0x7F)
    if loop.enters_late:
        kernel.op("bst", r.end, 0, note="T: it is one input")
    kernel.op("add", r.end, INPUTS, note="where they end")
    kernel.op("lpm", r.count, "Z+", note="neurons of this layer")
    kernel.label("neuron")
    _neuron(kernel, loop, r)
    kernel.label(REQUANTIZE)
    requantize(kernel, loop, r)
    kernel.label(REQUANTIZED)
    kernel.op("push", r.result, note="the activation, for the next layer")
    _next(kernel, loop, r)
    _end(kernel, loop, frame)
    subroutines(kernel, loop, r)
    return kernel


def frame_of(loop: Loop) -> LoopFrame:
    """Return the registers, those first that need not be saved."""
    y_on_stack = loop.outputs == 1
    pool = iter((FREE if y_on_stack else FREE[:4]) + SAVED)
    weight, stored = next(pool), next(pool)
    sums = tuple(next(pool) for _ in range(loop.accumulator_bytes))
    end, count = next(pool), next(pool)
    spare = next(pool) if isinstance(loop.form, LongForm) else ""
    result = _result(loop, weight, stored)
    registers = LoopRegisters(end, count, sums, weight, stored, spare, result)
    used = {weight, stored, *sums, end, count, spare}
    return LoopFrame(registers, tuple(name for name in SAVED if name in used), y_on_stack)


def _result(loop: Loop, weight: str, stored: str) -> str:
    form = loop.form
    if isinstance(form, StepsForm):
        return stored
    if isinstance(form, LongForm):
        return "r26" if form.after == FIRST else "r27"
    parts = short_parts(loop, weight)
    return parts[-1 if form.after <= LAST_CARRY else -2]


def _begin(kernel: Assembly, frame: LoopFrame) -> None:
    for name in frame.saved:
        kernel.op("push", name)
    if frame.y_on_stack:
        kernel.op("push", "r22", note="y_q, for the end")
        kernel.op("push", "r23")
    kernel.op("ldi", "r30", "lo8(stream)", note="Z: what comes next of the stream")
    kernel.op("ldi", "r31", "hi8(stream)")


def _neuron(kernel: Assembly, loop: Loop, r: LoopRegisters) -> None:
    low, middle, *high = r.sums
    kernel.op("movw", "r26", INPUTS, note="X: the layer's inputs")
    for name in r.sums[: loop.bias_bytes]:
        kernel.op("lpm", name, "Z+", note="bias" if name == low else "")
    if high and loop.bias_bytes == 2:
        kernel.op("mov", high[0], middle, note="its sign")
        kernel.op("lsl", high[0])
        kernel.op("sbc", high[0], high[0])
    if loop.enters_late:
        kernel.op("brts", "last_product")
    kernel.label("product")
    for left in reversed(range(loop.unroll)):
        if left == 0 and loop.enters_late:
            kernel.label("last_product")
        kernel.op("ld", r.stored, "X+")
        kernel.op("lpm", r.weight, "Z+")
        kernel.op("fmuls" if loop.form.doubled else "muls", r.stored, r.weight)
        if high:
            kernel.op("sbc", r.weight, r.weight, note="the product's sign")
        kernel.op("add", low, "r0")
        kernel.op("adc", middle, "r1")
        if high:
            kernel.op("adc", high[0], r.weight)
    kernel.op("cp", "r26", r.end)
    kernel.op("brne", "product")


def _next(kernel: Assembly, loop: Loop, r: LoopRegisters) -> None:
    kernel.op("dec", r.count)
    if len(loop.layers) > 1:
        kernel.op("brvs", "done", note="came down to 0x7f: that was the last layer")
    kernel.op("brne", "neuron")
    if len(loop.layers) > 1:
        kernel.op("in", INPUTS, 0x3D, note="the next layer reads what lies on the stack, the last first")
        kernel.op("in", "r25", 0x3E)
        kernel.op("adiw", INPUTS, 1)
        kernel.op("rjmp", "layer")
        kernel.label("done")


def _end(kernel: Assembly, loop: Loop, frame: LoopFrame) -> None:
    r, left = frame.registers, loop.pushed
    raised = -(128 + loop.constants[-1].neuron.floor) & 0xFF
    if loop.layers[-1].table is not None:
        raised = 0
    if frame.y_on_stack:
        if raised:
            kernel.op("subi", r.result, raised, note="codes of the last layer begin above -128")
        _drop(kernel, left, r.stored if r.result == r.weight else r.weight)
        kernel.op("pop", "r31")
        kernel.op("pop", "r30")
        kernel.op("st", "Z+", r.result)
    else:
        _store_outputs(kernel, loop, r, raised)
        _drop(kernel, left - loop.outputs, r.weight)
    for name in reversed(frame.saved):
        kernel.op("pop", name)
    kernel.op("clr", "r1")
    kernel.op("ret")


def _store_outputs(kernel: Assembly, loop: Loop, r: LoopRegisters, raised: int) -> None:
    kernel.op("movw", "r30", "r22", note="the outputs, the last first")
    for step in range(0, loop.outputs, ADIW_LIMIT):
        kernel.op("adiw", "r30", min(ADIW_LIMIT, loop.outputs - step))
    kernel.op("ldi", r.weight, loop.outputs)
    kernel.label("output")
    kernel.op("pop", r.stored)
    if raised:
        kernel.op("subi", r.stored, raised, note="codes of the last layer begin above -128")
    kernel.op("st", "-Z", r.stored)
    kernel.op("dec", r.weight)
    kernel.op("brne", "output")


def _drop(kernel: Assembly, count: int, counter: str) -> None:
    """Take ``count`` activations off the stack."""
    if count <= UNROLLED_POPS:
        for _ in range(count):
            kernel.op("pop", "r0")
        return
    for step in range(0, count, 255):
        drop = kernel.new_label("drop")
        kernel.op("ldi", counter, min(255, count - step), note="activations off the stack")
        kernel.label(drop)
        kernel.op("pop", "r0")
        kernel.op("dec", counter)
        kernel.op("brne", drop)
