"""Simulate an assembled function and check that it keeps to the calling convention of avr-gcc.

It holds every generated kernel against the plan on any machine, without a simulator; simavr, which is not ours, is held
against it in tests/kernels/test_avr.py.
"""

from collections.abc import Container, Sequence
from functools import cache

from sinehil_kernels.avr.assembly import Program
from sinehil_kernels.avr.chip import STACK_AT, Call, Chip, ConventionError, CycleLimitError
from sinehil_kernels.avr.handlers import HANDLERS, Handler
from sinehil_kernels.avr.isa import ALL_FORMS, EncodingError, decode

X_AT, Y_AT = 0x100, 0x200
CALL_SAVED = (*range(2, 18), 28, 29)
MAX_CYCLES = 2_000_000


class Machine(Chip):
    """A chip with a program in its flash, whose caller keeps codes in RAM at ``x_at`` and ``y_at``."""

    x_at, y_at = X_AT, Y_AT

    def __init__(self, program: Program, max_cycles: int = MAX_CYCLES) -> None:
        super().__init__(program.image)
        self._max_cycles = max_cycles
        self._steps = [_decode(word) for word in program.words]

    def call(self, x_q: Sequence[int], outputs: int) -> Call:
        """Call ``void f(const int8_t *x_q, int8_t *y_q)`` at address 0; the codes as signed integers.

        Raises ConventionError if it does what a function may not, or does not come to an end.
        """
        self.reset()
        self.ram[self.x_at : self.x_at + len(x_q)] = bytes(value & 0xFF for value in x_q)
        self.set_word(24, self.x_at)
        self.set_word(22, self.y_at)
        before = bytes(self.registers)
        self.push_word(len(self._image))  # returning there ends the run
        self._low_water = self.stack
        steps, end, max_cycles = self._steps, len(self._steps), self._max_cycles
        while 0 <= (pc := self.pc) < end:
            handler, first, second, cycles = steps[pc]
            self.cycles += cycles
            self.pc = pc + 1
            handler(self, first, second)
            if self.cycles > max_cycles:
                raise CycleLimitError("the function does not come to an end")
        if self.pc != len(self._image):
            raise ConventionError(f"it leaves the function for {self.pc:#x}")
        self._check_convention(before)
        codes = self.ram[self.y_at : self.y_at + outputs]
        return Call(
            [value - 256 * (value > 127) for value in codes], self.cycles - 4, self._low_water - self.deepest
        )

    def run(self, start: int, ends: Container[int]) -> int:
        """Run from one word address to the first of others, with registers and RAM as they are; return which it is.

        Raises ConventionError if it leaves the function or does not come there.
        """
        self.pc, self.cycles = start, 0
        steps, end, max_cycles = self._steps, len(self._steps), self._max_cycles
        while (pc := self.pc) not in ends:
            if not 0 <= pc < end or self.cycles > max_cycles:
                raise ConventionError(f"it does not come from {start:#x} to its end")
            handler, first, second, cycles = steps[pc]
            self.cycles += cycles
            self.pc = pc + 1
            handler(self, first, second)
        return pc

    def _check_convention(self, before: bytes) -> None:
        changed = [number for number in CALL_SAVED if self.registers[number] != before[number]]
        if changed:
            raise ConventionError(f"registers {changed} are not restored")
        if self.registers[1] != 0:
            raise ConventionError("r1 is not zero on return")
        if self.stack != STACK_AT:
            raise ConventionError(f"the stack pointer is {self.stack - STACK_AT:+d} on return")


@cache
def _decode(word: int) -> tuple[Handler, int, int, int]:
    """Return handler, operands and cycles; a word that is data decodes to what must not be run."""
    try:
        name, operands = decode(word)
    except EncodingError:
        return _not_code, word, 0, 0
    first, second = (*operands, 0, 0)[:2]
    return HANDLERS[name], first, second, ALL_FORMS[name].cycles


def _not_code(_chip: Chip, word: int, _: int) -> None:
    raise ConventionError(f"{word:#06x} is not an instruction of ours")
