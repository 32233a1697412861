"""The state of a simulated ATmega328P: registers, flags, RAM, stack and flash."""

from dataclasses import dataclass

RAM_START, RAM_END = 0x100, 0x8FF
STACK_AT = RAM_END
MOST_FLASH = 30 * 1024  # of a kernel: an Uno's, less boot loader and sketch
SPL, SPH, SREG = 0x3D, 0x3E, 0x3F
INITIAL = bytes((7 * number + 0x35) & 0xFF for number in range(32))  # whatever a caller left in the registers
INITIAL_RAM = bytes((13 * at + 7) & 0xFF for at in range(RAM_END + 1))  # nobody may rely on zeros


@dataclass(frozen=True)
class Call:
    """What one call gave: output codes, cycles without the call and the return, deepest stack in bytes."""

    y_q: list[int]
    cycles: int
    stack_bytes: int


class ConventionError(AssertionError):
    """The function broke the calling convention or touched what is not its own: a bug of the generator."""


class CycleLimitError(ConventionError):
    """The function took more cycles than it was given."""


class Chip:
    """The state of the chip while one function runs on it, from address 0 of ``image``."""

    def __init__(self, image: bytes) -> None:
        self._image = image
        self.reset()

    def reset(self) -> None:
        """Begin anew, with whatever a caller left in registers and RAM."""
        self.registers = bytearray(INITIAL)
        self.registers[1] = 0
        self.ram = bytearray(INITIAL_RAM)
        self.carry = self.zero = self.negative = self.overflow = self.t = 0
        self.cycles = 0
        self.pc = 0
        self.stack = self.deepest = STACK_AT

    def flash(self, address: int) -> int:
        """Return a byte of the program."""
        if address >= len(self._image):
            raise ConventionError(f"a read from flash at {address:#x}, outside the kernel")
        return self._image[address]

    def word(self, low: int) -> int:
        """Return a pair of registers."""
        return self.registers[low] | self.registers[low + 1] << 8

    def set_word(self, low: int, value: int) -> None:
        """Set a pair of registers."""
        self.registers[low] = value & 0xFF
        self.registers[low + 1] = value >> 8 & 0xFF

    def push_word(self, value: int) -> None:
        """Push an address."""
        for byte in (value & 0xFF, value >> 8 & 0xFF):
            self.store(self.stack, byte)
            self.move_stack(self.stack - 1)

    def pop_word(self) -> int:
        """Pop an address."""
        self.move_stack(self.stack + 2)
        return self.ram[self.stack] | self.ram[self.stack - 1] << 8

    def move_stack(self, to: int) -> None:
        """Move the stack pointer."""
        if to > RAM_END:
            raise ConventionError("more is popped than was pushed")
        self.stack = to
        self.deepest = min(self.deepest, to)

    def store(self, address: int, value: int) -> None:
        """Write a byte of RAM."""
        if not RAM_START <= address <= RAM_END:
            raise ConventionError(f"a store to {address:#x}, outside RAM")
        self.ram[address] = value

    def logic(self, d: int, value: int) -> None:
        """Put a result of AND, OR, EOR or COM into a register, with its flags."""
        self.registers[d] = value
        self.zero, self.negative, self.overflow = value == 0, value >> 7, 0

    def add(self, d: int, a: int, b: int, carry: int) -> None:
        """Put a sum into a register, with its flags."""
        total = a + b + carry
        value = total & 0xFF
        self.registers[d] = value
        self.carry, self.zero, self.negative = total >> 8, value == 0, value >> 7
        self.overflow = (a ^ value) & (b ^ value) & 0x80 != 0

    def subtract(self, a: int, b: int, carry: int, keep_zero: bool) -> int:
        """Return a difference and set its flags; SBC, SBCI and CPC only ever clear the zero flag."""
        total = a - b - carry
        value = total & 0xFF
        self.zero = value == 0 and (self.zero if keep_zero else True)
        self.carry, self.negative = total < 0, value >> 7
        self.overflow = (a ^ b) & (a ^ value) & 0x80 != 0
        return value

    def compare(self, a: int, b: int, carry: int, keep_zero: bool) -> None:
        """Set the flags of a difference."""
        self.subtract(a, b, carry, keep_zero)

    def right(self, d: int, top: int) -> None:
        """Shift a register right; ``top`` comes in."""
        value = self.registers[d]
        self.carry = value & 1
        value = top << 7 | value >> 1
        self.registers[d] = value
        self.zero, self.negative = value == 0, value >> 7
        self.overflow = self.negative ^ self.carry

    def product(self, value: int, shift: int) -> None:
        """Put a product into r0:1, with its flags."""
        self.carry = value >> 15 & 1
        value = value << shift & 0xFFFF
        self.zero = value == 0
        self.set_word(0, value)

    def branch(self, taken: bool | int, distance: int) -> None:
        """Go on elsewhere, which takes a cycle more."""
        if taken:
            self.pc += distance
            self.cycles += 1

    def skip(self, taken: bool | int) -> None:
        """Leave out the next instruction, which takes a cycle more."""
        if taken:
            self.pc += 1
            self.cycles += 1
