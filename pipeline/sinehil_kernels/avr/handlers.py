"""Execute each AVR instruction on the simulated chip: handlers by canonical name, see isa.py."""

from collections.abc import Callable, Mapping

from sinehil_kernels.avr.chip import RAM_END, RAM_START, SPH, SPL, SREG, Chip, ConventionError


def _signed(value: int) -> int:
    return value - 256 * (value > 127)


Handler = Callable[[Chip, int, int], None]


def _load(m: Chip, d: int, pointer: int, before: int = 0, after: int = 0, offset: int = 0) -> None:
    address = m.word(pointer) + before
    if not RAM_START <= address + offset <= RAM_END:
        raise ConventionError(f"a load from {address + offset:#x}, outside RAM")
    m.registers[d] = m.ram[address + offset]
    if before or after:
        m.set_word(pointer, address + after)


def _keep(m: Chip, d: int, pointer: int, before: int = 0, after: int = 0, offset: int = 0) -> None:
    address = m.word(pointer) + before
    m.store(address + offset, m.registers[d])
    if before or after:
        m.set_word(pointer, address + after)


def _lpm(m: Chip, d: int, after: int) -> None:
    address = m.word(30)
    m.registers[d] = m.flash(address)
    if after:
        m.set_word(30, address + 1)


def _adiw(m: Chip, d: int, k: int) -> None:
    before = m.word(d)
    value = before + k & 0xFFFF
    m.set_word(d, value)
    m.carry, m.zero, m.negative = value < before, value == 0, value >> 15
    m.overflow = before < 0x8000 <= value


def _sbiw(m: Chip, d: int, k: int) -> None:
    before = m.word(d)
    value = before - k & 0xFFFF
    m.set_word(d, value)
    m.carry, m.zero, m.negative = k > before, value == 0, value >> 15
    m.overflow = value < 0x8000 <= before


def _com(m: Chip, d: int, _: int) -> None:
    m.logic(d, m.registers[d] ^ 0xFF)
    m.carry = 1


def _neg(m: Chip, d: int, _: int) -> None:
    m.registers[d] = m.subtract(0, m.registers[d], 0, keep_zero=False)


def _step_by(m: Chip, d: int, by: int, odd_one: int) -> None:
    """INC and DEC leave the carry alone and overflow at one value only."""
    carry = m.carry
    m.logic(d, m.registers[d] + by & 0xFF)
    m.carry, m.overflow = carry, m.registers[d] == odd_one


def _rcall(m: Chip, distance: int, _: int) -> None:
    m.push_word(m.pc)
    m.pc += distance


def _ret(m: Chip, _d: int, _r: int) -> None:
    m.pc = m.pop_word()


def _push(m: Chip, d: int, _: int) -> None:
    m.store(m.stack, m.registers[d])
    m.move_stack(m.stack - 1)


def _pop(m: Chip, d: int, _: int) -> None:
    m.move_stack(m.stack + 1)
    m.registers[d] = m.ram[m.stack]


def _in(m: Chip, d: int, address: int) -> None:
    known = {SPL: m.stack & 0xFF, SPH: m.stack >> 8, SREG: 0}
    if address not in known:
        raise ConventionError(f"a read of the I/O register {address:#x}")
    m.registers[d] = known[address]


def _out(m: Chip, address: int, d: int) -> None:
    value = m.registers[d]
    if address == SPL:
        m.move_stack(m.stack & 0xFF00 | value)
    elif address == SPH:
        m.move_stack(m.stack & 0x00FF | value << 8)
    elif address != SREG:
        raise ConventionError(f"a write to the I/O register {address:#x}")


def _bld(m: Chip, d: int, bit: int) -> None:
    m.registers[d] = m.registers[d] & ~(1 << bit) | m.t << bit


def _bst(m: Chip, d: int, bit: int) -> None:
    m.t = m.registers[d] >> bit & 1


def _jump(m: Chip, distance: int, _: int) -> None:
    m.pc += distance


def _swap(m: Chip, d: int, _: int) -> None:
    value = m.registers[d]
    m.registers[d] = value << 4 & 0xF0 | value >> 4


def _set(m: Chip, d: int, value: int) -> None:
    m.registers[d] = value


def _nothing(_m: Chip, _d: int, _r: int) -> None:
    """NOP and CLI: interrupts do not exist here."""


HANDLERS: Mapping[str, Handler] = {
    "adc": lambda m, d, r: m.add(d, m.registers[d], m.registers[r], m.carry),
    "add": lambda m, d, r: m.add(d, m.registers[d], m.registers[r], 0),
    "adiw": _adiw,
    "and": lambda m, d, r: m.logic(d, m.registers[d] & m.registers[r]),
    "andi": lambda m, d, k: m.logic(d, m.registers[d] & k),
    "asr": lambda m, d, _: m.right(d, m.registers[d] >> 7),
    "bld": _bld,
    "brcc": lambda m, k, _: m.branch(not m.carry, k),
    "brcs": lambda m, k, _: m.branch(m.carry, k),
    "breq": lambda m, k, _: m.branch(m.zero, k),
    "brge": lambda m, k, _: m.branch(bool(m.negative) == bool(m.overflow), k),
    "brlt": lambda m, k, _: m.branch(bool(m.negative) != bool(m.overflow), k),
    "brmi": lambda m, k, _: m.branch(m.negative, k),
    "brne": lambda m, k, _: m.branch(not m.zero, k),
    "brpl": lambda m, k, _: m.branch(not m.negative, k),
    "brtc": lambda m, k, _: m.branch(not m.t, k),
    "brts": lambda m, k, _: m.branch(m.t, k),
    "brvc": lambda m, k, _: m.branch(not m.overflow, k),
    "brvs": lambda m, k, _: m.branch(m.overflow, k),
    "bst": _bst,
    "cli": _nothing,
    "com": _com,
    "cp": lambda m, d, r: m.compare(m.registers[d], m.registers[r], 0, keep_zero=False),
    "cpc": lambda m, d, r: m.compare(m.registers[d], m.registers[r], m.carry, keep_zero=True),
    "cpi": lambda m, d, k: m.compare(m.registers[d], k, 0, keep_zero=False),
    "cpse": lambda m, d, r: m.skip(m.registers[d] == m.registers[r]),
    "dec": lambda m, d, _: _step_by(m, d, -1, 0x7F),
    "eor": lambda m, d, r: m.logic(d, m.registers[d] ^ m.registers[r]),
    "fmul": lambda m, d, r: m.product(m.registers[d] * m.registers[r], 1),
    "fmuls": lambda m, d, r: m.product(_signed(m.registers[d]) * _signed(m.registers[r]) & 0xFFFF, 1),
    "fmulsu": lambda m, d, r: m.product(_signed(m.registers[d]) * m.registers[r] & 0xFFFF, 1),
    "in": _in,
    "inc": lambda m, d, _: _step_by(m, d, 1, 0x80),
    "ldi": _set,
    "lsr": lambda m, d, _: m.right(d, 0),
    "mov": lambda m, d, r: _set(m, d, m.registers[r]),
    "movw": lambda m, d, r: m.set_word(d, m.word(r)),
    "mul": lambda m, d, r: m.product(m.registers[d] * m.registers[r], 0),
    "muls": lambda m, d, r: m.product(_signed(m.registers[d]) * _signed(m.registers[r]) & 0xFFFF, 0),
    "mulsu": lambda m, d, r: m.product(_signed(m.registers[d]) * m.registers[r] & 0xFFFF, 0),
    "neg": _neg,
    "nop": _nothing,
    "or": lambda m, d, r: m.logic(d, m.registers[d] | m.registers[r]),
    "ori": lambda m, d, k: m.logic(d, m.registers[d] | k),
    "out": _out,
    "pop": _pop,
    "push": _push,
    "rcall": _rcall,
    "ret": _ret,
    "rjmp": _jump,
    "ror": lambda m, d, _: m.right(d, m.carry),
    "sbc": lambda m, d, r: _set(m, d, m.subtract(m.registers[d], m.registers[r], m.carry, keep_zero=True)),
    "sbci": lambda m, d, k: _set(m, d, m.subtract(m.registers[d], k, m.carry, keep_zero=True)),
    "sbiw": _sbiw,
    "sbrc": lambda m, d, bit: m.skip(not m.registers[d] >> bit & 1),
    "sbrs": lambda m, d, bit: m.skip(m.registers[d] >> bit & 1),
    "sub": lambda m, d, r: _set(m, d, m.subtract(m.registers[d], m.registers[r], 0, keep_zero=False)),
    "subi": lambda m, d, k: _set(m, d, m.subtract(m.registers[d], k, 0, keep_zero=False)),
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
