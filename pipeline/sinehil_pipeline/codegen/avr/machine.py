"""Runs an assembled function: registers, flags, RAM and cycles of an ATmega328P, nothing around them.

It holds every generated kernel against the plan on any machine, without a simulator; and it watches the calling
convention of avr-gcc. simavr, which is not ours, is held against it in tests/codegen/test_avr.py.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from sinehil_pipeline.codegen.avr.assembly import Program
from sinehil_pipeline.codegen.avr.isa import ALL_FORMS, EncodingError, decode

RAM_START, RAM_END = 0x100, 0x8FF
X_AT, Y_AT = 0x100, 0x200
STACK_AT = RAM_END
CALL_SAVED = (*range(2, 18), 28, 29)
SPL, SPH, SREG = 0x3D, 0x3E, 0x3F
MAX_CYCLES = 2_000_000
INITIAL = bytes((7 * number + 0x35) & 0xFF for number in range(32))  # whatever a caller left in the registers


class ConventionError(AssertionError):
    """The function broke the calling convention or touched what is not its own: a bug of the generator."""


@dataclass(frozen=True)
class Call:
    """What one call gave: output codes, cycles without the call and the return, deepest stack in bytes."""

    y_q: list[int]
    cycles: int
    stack_bytes: int


class Machine:
    """The state of the chip while one function runs on it."""

    def __init__(self, program: Program) -> None:
        self._image = program.image
        self._steps = [_decode(word) for word in program.words]
        self._reset()

    def _reset(self) -> None:
        self.registers = bytearray(INITIAL)
        self.registers[1] = 0
        self.ram = bytearray((13 * at + 7) & 0xFF for at in range(RAM_END + 1))  # nobody may rely on zeros
        self.carry = self.zero = self.negative = self.overflow = self.t = 0
        self.cycles = 0
        self.pc = 0
        self.stack = self.deepest = STACK_AT

    def flash(self, address: int) -> int:
        """Return a byte of the program."""
        if address >= len(self._image):
            raise ConventionError(f"a read from flash at {address:#x}, outside the kernel")
        return self._image[address]

    def call(self, x_q: Sequence[int], outputs: int) -> Call:
        """Call ``void f(const int8_t *x_q, int8_t *y_q)`` at address 0; the codes as signed integers."""
        self._reset()
        self.ram[X_AT : X_AT + len(x_q)] = bytes(value & 0xFF for value in x_q)
        self._set_word(24, X_AT)
        self._set_word(22, Y_AT)
        before = bytes(self.registers)
        self._push_word(len(self._image))  # returning there ends the run
        self._low_water = self.stack
        while self.pc < len(self._steps):
            handler, first, second, cycles = self._steps[self.pc]
            self.cycles += cycles
            self.pc += 1
            handler(self, first, second)
            if self.cycles > MAX_CYCLES:
                raise ConventionError("the function does not come to an end")
        self._check_convention(before)
        codes = self.ram[Y_AT : Y_AT + outputs]
        return Call(
            [value - 256 * (value > 127) for value in codes], self.cycles - 4, self._low_water - self.deepest
        )

    def _check_convention(self, before: bytes) -> None:
        changed = [number for number in CALL_SAVED if self.registers[number] != before[number]]
        if changed:
            raise ConventionError(f"registers {changed} are not restored")
        if self.registers[1] != 0:
            raise ConventionError("r1 is not zero on return")
        if self.stack != STACK_AT:
            raise ConventionError(f"the stack pointer is {self.stack - STACK_AT:+d} on return")

    # -- helpers ----------------------------------------------------------------------------------------------

    def _word(self, low: int) -> int:
        return self.registers[low] | self.registers[low + 1] << 8

    def _set_word(self, low: int, value: int) -> None:
        self.registers[low] = value & 0xFF
        self.registers[low + 1] = value >> 8 & 0xFF

    def _push_word(self, value: int) -> None:
        for byte in (value & 0xFF, value >> 8 & 0xFF):
            self._store(self.stack, byte)
            self._move_stack(self.stack - 1)

    def _pop_word(self) -> int:
        self._move_stack(self.stack + 2)
        return self.ram[self.stack] | self.ram[self.stack - 1] << 8

    def _move_stack(self, to: int) -> None:
        if to > RAM_END:
            raise ConventionError("more is popped than was pushed")
        self.stack = to
        self.deepest = min(self.deepest, to)

    def _store(self, address: int, value: int) -> None:
        if not RAM_START <= address <= RAM_END:
            raise ConventionError(f"a store to {address:#x}, outside RAM")
        self.ram[address] = value

    def _logic(self, d: int, value: int) -> None:
        self.registers[d] = value
        self.zero, self.negative, self.overflow = value == 0, value >> 7, 0

    def _add(self, d: int, a: int, b: int, carry: int) -> None:
        total = a + b + carry
        value = total & 0xFF
        self.registers[d] = value
        self.carry, self.zero, self.negative = total >> 8, value == 0, value >> 7
        self.overflow = (a ^ value) & (b ^ value) & 0x80 != 0

    def _subtract(self, a: int, b: int, carry: int, keep_zero: bool) -> int:
        """SBC, SBCI and CPC only ever clear the zero flag."""
        total = a - b - carry
        value = total & 0xFF
        self.zero = value == 0 and (self.zero if keep_zero else True)
        self.carry, self.negative = total < 0, value >> 7
        self.overflow = (a ^ b) & (a ^ value) & 0x80 != 0
        return value

    def _compare(self, a: int, b: int, carry: int, keep_zero: bool) -> None:
        self._subtract(a, b, carry, keep_zero)

    def _right(self, d: int, top: int) -> None:
        value = self.registers[d]
        self.carry = value & 1
        value = top << 7 | value >> 1
        self.registers[d] = value
        self.zero, self.negative = value == 0, value >> 7
        self.overflow = self.negative ^ self.carry

    def _product(self, value: int, shift: int) -> None:
        self.carry = value >> 15 & 1
        value = value << shift & 0xFFFF
        self.zero = value == 0
        self._set_word(0, value)

    def _branch(self, taken: bool | int, distance: int) -> None:
        if taken:
            self.pc += distance
            self.cycles += 1

    def _skip(self, taken: bool | int) -> None:
        if taken:
            self.pc += 1
            self.cycles += 1


def _signed(value: int) -> int:
    return value - 256 * (value > 127)


Handler = Callable[[Machine, int, int], None]


def _load(m: Machine, d: int, pointer: int, before: int = 0, after: int = 0, offset: int = 0) -> None:
    address = m._word(pointer) + before
    if address + offset > RAM_END:
        raise ConventionError(f"a load from {address + offset:#x}, outside RAM")
    m.registers[d] = m.ram[address + offset]
    if before or after:
        m._set_word(pointer, address + after)


def _keep(m: Machine, d: int, pointer: int, before: int = 0, after: int = 0, offset: int = 0) -> None:
    address = m._word(pointer) + before
    m._store(address + offset, m.registers[d])
    if before or after:
        m._set_word(pointer, address + after)


def _lpm(m: Machine, d: int, after: int) -> None:
    address = m._word(30)
    m.registers[d] = m.flash(address)
    if after:
        m._set_word(30, address + 1)


def _adiw(m: Machine, d: int, k: int) -> None:
    before = m._word(d)
    value = before + k & 0xFFFF
    m._set_word(d, value)
    m.carry, m.zero, m.negative = value < before, value == 0, value >> 15
    m.overflow = before < 0x8000 <= value


def _sbiw(m: Machine, d: int, k: int) -> None:
    before = m._word(d)
    value = before - k & 0xFFFF
    m._set_word(d, value)
    m.carry, m.zero, m.negative = k > before, value == 0, value >> 15
    m.overflow = value < 0x8000 <= before


def _com(m: Machine, d: int, _: int) -> None:
    m._logic(d, m.registers[d] ^ 0xFF)
    m.carry = 1


def _neg(m: Machine, d: int, _: int) -> None:
    m.registers[d] = m._subtract(0, m.registers[d], 0, keep_zero=False)


def _step_by(m: Machine, d: int, by: int, odd_one: int) -> None:
    """INC and DEC leave the carry alone and overflow at one value only."""
    carry = m.carry
    m._logic(d, m.registers[d] + by & 0xFF)
    m.carry, m.overflow = carry, m.registers[d] == odd_one


def _rcall(m: Machine, distance: int, _: int) -> None:
    m._push_word(m.pc)
    m.pc += distance


def _ret(m: Machine, _d: int, _r: int) -> None:
    m.pc = m._pop_word()


def _push(m: Machine, d: int, _: int) -> None:
    m._store(m.stack, m.registers[d])
    m._move_stack(m.stack - 1)


def _pop(m: Machine, d: int, _: int) -> None:
    m._move_stack(m.stack + 1)
    m.registers[d] = m.ram[m.stack]


def _in(m: Machine, d: int, address: int) -> None:
    m.registers[d] = {SPL: m.stack & 0xFF, SPH: m.stack >> 8, SREG: 0}[address]


def _out(m: Machine, address: int, d: int) -> None:
    value = m.registers[d]
    if address == SPL:
        m._move_stack(m.stack & 0xFF00 | value)
    elif address == SPH:
        m._move_stack(m.stack & 0x00FF | value << 8)
    elif address != SREG:
        raise ConventionError(f"a write to the I/O register {address:#x}")


def _bld(m: Machine, d: int, bit: int) -> None:
    m.registers[d] = m.registers[d] & ~(1 << bit) | m.t << bit


def _bst(m: Machine, d: int, bit: int) -> None:
    m.t = m.registers[d] >> bit & 1


def _jump(m: Machine, distance: int, _: int) -> None:
    m.pc += distance


def _swap(m: Machine, d: int, _: int) -> None:
    value = m.registers[d]
    m.registers[d] = value << 4 & 0xF0 | value >> 4


def _set(m: Machine, d: int, value: int) -> None:
    m.registers[d] = value


def _nothing(_m: Machine, _d: int, _r: int) -> None:
    """NOP and CLI: interrupts do not exist here."""


HANDLERS: Mapping[str, Handler] = {
    "adc": lambda m, d, r: m._add(d, m.registers[d], m.registers[r], m.carry),
    "add": lambda m, d, r: m._add(d, m.registers[d], m.registers[r], 0),
    "adiw": _adiw,
    "and": lambda m, d, r: m._logic(d, m.registers[d] & m.registers[r]),
    "andi": lambda m, d, k: m._logic(d, m.registers[d] & k),
    "asr": lambda m, d, _: m._right(d, m.registers[d] >> 7),
    "bld": _bld,
    "brcc": lambda m, k, _: m._branch(not m.carry, k),
    "brcs": lambda m, k, _: m._branch(m.carry, k),
    "breq": lambda m, k, _: m._branch(m.zero, k),
    "brge": lambda m, k, _: m._branch(bool(m.negative) == bool(m.overflow), k),
    "brlt": lambda m, k, _: m._branch(bool(m.negative) != bool(m.overflow), k),
    "brmi": lambda m, k, _: m._branch(m.negative, k),
    "brne": lambda m, k, _: m._branch(not m.zero, k),
    "brpl": lambda m, k, _: m._branch(not m.negative, k),
    "brtc": lambda m, k, _: m._branch(not m.t, k),
    "brts": lambda m, k, _: m._branch(m.t, k),
    "brvc": lambda m, k, _: m._branch(not m.overflow, k),
    "brvs": lambda m, k, _: m._branch(m.overflow, k),
    "bst": _bst,
    "cli": _nothing,
    "com": _com,
    "cp": lambda m, d, r: m._compare(m.registers[d], m.registers[r], 0, keep_zero=False),
    "cpc": lambda m, d, r: m._compare(m.registers[d], m.registers[r], m.carry, keep_zero=True),
    "cpi": lambda m, d, k: m._compare(m.registers[d], k, 0, keep_zero=False),
    "cpse": lambda m, d, r: m._skip(m.registers[d] == m.registers[r]),
    "dec": lambda m, d, _: _step_by(m, d, -1, 0x7F),
    "eor": lambda m, d, r: m._logic(d, m.registers[d] ^ m.registers[r]),
    "fmul": lambda m, d, r: m._product(m.registers[d] * m.registers[r], 1),
    "fmuls": lambda m, d, r: m._product(_signed(m.registers[d]) * _signed(m.registers[r]) & 0xFFFF, 1),
    "fmulsu": lambda m, d, r: m._product(_signed(m.registers[d]) * m.registers[r] & 0xFFFF, 1),
    "in": _in,
    "inc": lambda m, d, _: _step_by(m, d, 1, 0x80),
    "ldi": _set,
    "lsr": lambda m, d, _: m._right(d, 0),
    "mov": lambda m, d, r: _set(m, d, m.registers[r]),
    "movw": lambda m, d, r: m._set_word(d, m._word(r)),
    "mul": lambda m, d, r: m._product(m.registers[d] * m.registers[r], 0),
    "muls": lambda m, d, r: m._product(_signed(m.registers[d]) * _signed(m.registers[r]) & 0xFFFF, 0),
    "mulsu": lambda m, d, r: m._product(_signed(m.registers[d]) * m.registers[r] & 0xFFFF, 0),
    "neg": _neg,
    "nop": _nothing,
    "or": lambda m, d, r: m._logic(d, m.registers[d] | m.registers[r]),
    "ori": lambda m, d, k: m._logic(d, m.registers[d] | k),
    "out": _out,
    "pop": _pop,
    "push": _push,
    "rcall": _rcall,
    "ret": _ret,
    "rjmp": _jump,
    "ror": lambda m, d, _: m._right(d, m.carry),
    "sbc": lambda m, d, r: _set(m, d, m._subtract(m.registers[d], m.registers[r], m.carry, keep_zero=True)),
    "sbci": lambda m, d, k: _set(m, d, m._subtract(m.registers[d], k, m.carry, keep_zero=True)),
    "sbiw": _sbiw,
    "sbrc": lambda m, d, bit: m._skip(not m.registers[d] >> bit & 1),
    "sbrs": lambda m, d, bit: m._skip(m.registers[d] >> bit & 1),
    "sub": lambda m, d, r: _set(m, d, m._subtract(m.registers[d], m.registers[r], 0, keep_zero=False)),
    "subi": lambda m, d, k: _set(m, d, m._subtract(m.registers[d], k, 0, keep_zero=False)),
    "swap": _swap,
    "ld X": lambda m, d, _: _load(m, d, 26),
    "ld X+": lambda m, d, _: _load(m, d, 26, after=1),
    "ld -X": lambda m, d, _: _load(m, d, 26, before=-1),
    "ld Y+": lambda m, d, _: _load(m, d, 28, after=1),
    "ld -Y": lambda m, d, _: _load(m, d, 28, before=-1),
    "ld Z+": lambda m, d, _: _load(m, d, 30, after=1),
    "ld -Z": lambda m, d, _: _load(m, d, 30, before=-1),
    "ldd Y": lambda m, d, offset: _load(m, d, 28, offset=offset),
    "ldd Z": lambda m, d, offset: _load(m, d, 30, offset=offset),
    "st X": lambda m, d, _: _keep(m, d, 26),
    "st X+": lambda m, d, _: _keep(m, d, 26, after=1),
    "st -X": lambda m, d, _: _keep(m, d, 26, before=-1),
    "st Y+": lambda m, d, _: _keep(m, d, 28, after=1),
    "st -Y": lambda m, d, _: _keep(m, d, 28, before=-1),
    "st Z+": lambda m, d, _: _keep(m, d, 30, after=1),
    "st -Z": lambda m, d, _: _keep(m, d, 30, before=-1),
    "std Y": lambda m, d, offset: _keep(m, d, 28, offset=offset),
    "std Z": lambda m, d, offset: _keep(m, d, 30, offset=offset),
    "lpm Z": lambda m, d, _: _lpm(m, d, after=0),
    "lpm Z+": lambda m, d, _: _lpm(m, d, after=1),
}


@cache
def _decode(word: int) -> tuple[Handler, int, int, int]:
    """Return handler, operands and cycles; a word that is data decodes to what must not be run."""
    try:
        name, operands = decode(word)
    except EncodingError:
        return _not_code, word, 0, 0
    first, second = (*operands, 0, 0)[:2]
    return HANDLERS[name], first, second, ALL_FORMS[name].cycles


def _not_code(_m: Machine, word: int, _: int) -> None:
    raise ConventionError(f"{word:#06x} is not an instruction of ours")
