"""Encode and decode the AVR instructions that kernels use, with their cycles.

Source: Microchip, AVR Instruction Set Manual (DS40002198), device with 16-bit program counter and MUL (AVRe+).
tests/kernels/test_isa.py holds the encoding against the GNU assembler, the cycles against simavr.
"""

from collections.abc import Mapping
from dataclasses import dataclass

Operand = str | int


class EncodingError(ValueError):
    """An operand that the instruction cannot have: a bug of the generator."""


@dataclass(frozen=True)
class Form:
    """Bits from the manual, most significant first, and cycles (for branches and skips: when not taken).

    d, r: registers r0 to r31; e: r16 to r31; f, g: r16 to r23; p, q: even registers; w: r24, r26, r28, r30;
    K: immediate; a: I/O address; k: distance in words; b: bit number; o: displacement of LDD and STD.
    """

    bits: str
    operands: str  # one letter per operand, in the order in which they are written
    cycles: int


FORMS: Mapping[str, Form] = {
    "adc": Form("000111rdddddrrrr", "dr", 1),
    "add": Form("000011rdddddrrrr", "dr", 1),
    "adiw": Form("10010110KKwwKKKK", "wK", 2),
    "and": Form("001000rdddddrrrr", "dr", 1),
    "andi": Form("0111KKKKeeeeKKKK", "eK", 1),
    "asr": Form("1001010ddddd0101", "d", 1),
    "bld": Form("1111100ddddd0bbb", "db", 1),
    "brcc": Form("111101kkkkkkk000", "k", 1),
    "brcs": Form("111100kkkkkkk000", "k", 1),
    "breq": Form("111100kkkkkkk001", "k", 1),
    "brge": Form("111101kkkkkkk100", "k", 1),
    "brlt": Form("111100kkkkkkk100", "k", 1),
    "brmi": Form("111100kkkkkkk010", "k", 1),
    "brne": Form("111101kkkkkkk001", "k", 1),
    "brpl": Form("111101kkkkkkk010", "k", 1),
    "brtc": Form("111101kkkkkkk110", "k", 1),
    "brts": Form("111100kkkkkkk110", "k", 1),
    "brvc": Form("111101kkkkkkk011", "k", 1),
    "brvs": Form("111100kkkkkkk011", "k", 1),
    "bst": Form("1111101ddddd0bbb", "db", 1),
    "cli": Form("1001010011111000", "", 1),
    "com": Form("1001010ddddd0000", "d", 1),
    "cp": Form("000101rdddddrrrr", "dr", 1),
    "cpc": Form("000001rdddddrrrr", "dr", 1),
    "cpi": Form("0011KKKKeeeeKKKK", "eK", 1),
    "cpse": Form("000100rdddddrrrr", "dr", 1),
    "dec": Form("1001010ddddd1010", "d", 1),
    "eor": Form("001001rdddddrrrr", "dr", 1),
    "fmul": Form("000000110fff1ggg", "fg", 2),
    "fmuls": Form("000000111fff0ggg", "fg", 2),
    "fmulsu": Form("000000111fff1ggg", "fg", 2),
    "in": Form("10110aadddddaaaa", "da", 1),
    "inc": Form("1001010ddddd0011", "d", 1),
    "ldi": Form("1110KKKKeeeeKKKK", "eK", 1),
    "lsr": Form("1001010ddddd0110", "d", 1),
    "mov": Form("001011rdddddrrrr", "dr", 1),
    "movw": Form("00000001ppppqqqq", "pq", 1),
    "mul": Form("100111rdddddrrrr", "dr", 2),
    "muls": Form("00000010eeeeuuuu", "eu", 2),
    "mulsu": Form("000000110fff0ggg", "fg", 2),
    "neg": Form("1001010ddddd0001", "d", 1),
    "nop": Form("0000000000000000", "", 1),
    "or": Form("001010rdddddrrrr", "dr", 1),
    "ori": Form("0110KKKKeeeeKKKK", "eK", 1),
    "out": Form("10111aadddddaaaa", "ad", 1),
    "pop": Form("1001000ddddd1111", "d", 2),
    "push": Form("1001001ddddd1111", "d", 2),
    "rcall": Form("1101kkkkkkkkkkkk", "k", 3),
    "ret": Form("1001010100001000", "", 4),
    "rjmp": Form("1100kkkkkkkkkkkk", "k", 2),
    "ror": Form("1001010ddddd0111", "d", 1),
    "sbc": Form("000010rdddddrrrr", "dr", 1),
    "sbci": Form("0100KKKKeeeeKKKK", "eK", 1),
    "sbiw": Form("10010111KKwwKKKK", "wK", 2),
    "sbrc": Form("1111110ddddd0bbb", "db", 1),
    "sbrs": Form("1111111ddddd0bbb", "db", 1),
    "sub": Form("000110rdddddrrrr", "dr", 1),
    "subi": Form("0101KKKKeeeeKKKK", "eK", 1),
    "swap": Form("1001010ddddd0010", "d", 1),
}
# Loads and stores by pointer; the pointer is part of the name, as in the manual's headings.
POINTER_FORMS: Mapping[tuple[str, str], Form] = {
    ("ld", "X"): Form("1001000ddddd1100", "d", 2),
    ("ld", "X+"): Form("1001000ddddd1101", "d", 2),
    ("ld", "-X"): Form("1001000ddddd1110", "d", 2),
    ("ld", "Y+"): Form("1001000ddddd1001", "d", 2),
    ("ld", "-Y"): Form("1001000ddddd1010", "d", 2),
    ("ld", "Z+"): Form("1001000ddddd0001", "d", 2),
    ("ld", "-Z"): Form("1001000ddddd0010", "d", 2),
    ("ldd", "Y"): Form("10o0oo0ddddd1ooo", "do", 2),
    ("ldd", "Z"): Form("10o0oo0ddddd0ooo", "do", 2),
    ("st", "X"): Form("1001001ddddd1100", "d", 2),
    ("st", "X+"): Form("1001001ddddd1101", "d", 2),
    ("st", "-X"): Form("1001001ddddd1110", "d", 2),
    ("st", "Y+"): Form("1001001ddddd1001", "d", 2),
    ("st", "-Y"): Form("1001001ddddd1010", "d", 2),
    ("st", "Z+"): Form("1001001ddddd0001", "d", 2),
    ("st", "-Z"): Form("1001001ddddd0010", "d", 2),
    ("std", "Y"): Form("10o0oo1ddddd1ooo", "do", 2),
    ("std", "Z"): Form("10o0oo1ddddd0ooo", "do", 2),
    ("lpm", "Z"): Form("1001000ddddd0100", "d", 3),
    ("lpm", "Z+"): Form("1001000ddddd0101", "d", 3),
}
# Other names for the same instruction, as the assembler has them.
ALIASES: Mapping[str, str] = {"lsl": "add", "rol": "adc", "tst": "and", "clr": "eor"}
RENAMED: Mapping[str, str] = {"brlo": "brcs", "brsh": "brcc"}
INVERSE: Mapping[str, str] = {
    first: second
    for one, other in (
        ("brcc", "brcs"),
        ("breq", "brne"),
        ("brge", "brlt"),
        ("brmi", "brpl"),
        ("brtc", "brts"),
        ("brvc", "brvs"),
        ("brlo", "brsh"),
    )
    for first, second in ((one, other), (other, one))
}
REGISTER_RANGES = {"d": (0, 1, 32), "r": (0, 1, 32), "e": (16, 1, 16), "u": (16, 1, 16), "f": (16, 1, 8)}
REGISTER_RANGES |= {"g": (16, 1, 8), "p": (0, 2, 16), "q": (0, 2, 16), "w": (24, 2, 4)}


def encode(mnemonic: str, operands: tuple[Operand, ...]) -> int:
    """Return the 16-bit word. Pointers come as in assembly text (``"X+"``, ``"Y+3"``); distances in words."""
    mnemonic, form, values = canonical(mnemonic, operands)
    word = form.bits
    if len(values) != len(form.operands):
        raise EncodingError(f"{mnemonic} takes {len(form.operands)} operands")
    for letter, value in zip(form.operands, values, strict=True):
        word = _fill(mnemonic, word, letter, value)
    return int(word, 2)


def canonical(mnemonic: str, operands: tuple[Operand, ...]) -> tuple[str, Form, tuple[Operand, ...]]:
    """Return the instruction behind an alias or a pointer form: its name, form, and operands in the form's order."""
    if mnemonic in ALIASES:
        mnemonic, operands = ALIASES[mnemonic], (operands[0], operands[0])
    mnemonic = RENAMED.get(mnemonic, mnemonic)
    if mnemonic in FORMS:
        return mnemonic, FORMS[mnemonic], operands
    register, pointer = (operands[1], operands[0]) if mnemonic in ("st", "std") else operands
    name, _, displacement = str(pointer).partition("+")
    if mnemonic in ("ldd", "std"):
        return f"{mnemonic} {name}", POINTER_FORMS[mnemonic, name], (register, int(displacement))
    if (mnemonic, str(pointer)) not in POINTER_FORMS:
        raise EncodingError(f"{mnemonic} {pointer} is not an instruction of ours")
    return f"{mnemonic} {pointer}", POINTER_FORMS[mnemonic, str(pointer)], (register,)


def register_number(operand: Operand) -> int:
    """Return 5 for ``"r5"``."""
    if not isinstance(operand, str) or not operand.startswith("r"):
        raise EncodingError(f"{operand!r} is not a register")
    return int(operand[1:])


def _fill(mnemonic: str, word: str, letter: str, operand: Operand) -> str:
    """Put an operand's bits where its letter stands."""
    width = word.count(letter)
    if letter in REGISTER_RANGES:
        first, step, count = REGISTER_RANGES[letter]
        value, rest = divmod(register_number(operand) - first, step)
        allowed = rest == 0 and 0 <= value < count
    else:
        value = int(operand)
        signed = letter == "k"
        low, high = (-(1 << width - 1), 1 << width - 1) if signed else (0, 1 << width)
        allowed = low <= value < high
    if not allowed:
        raise EncodingError(f"{mnemonic} cannot have {operand!r}")
    bits = iter(format(value & (1 << width) - 1, f"0{width}b"))
    return "".join(next(bits) if place == letter else place for place in word)


def decode(word: int) -> tuple[str, tuple[int, ...]]:
    """Return the canonical name and the operands as numbers (registers by number, distances signed).

    Raises EncodingError for a word that is no instruction of ours.
    """
    for name, form, mask, value in _DECODING:
        if word & mask == value:
            return name, tuple(_field(word, form.bits, letter) for letter in form.operands)
    raise EncodingError(f"{word:#06x} is not an instruction of ours")


def _field(word: int, bits: str, letter: str) -> int:
    """Return the operand whose bits have that letter."""
    text = "".join(bit for place, bit in zip(bits, format(word, "016b"), strict=True) if place == letter)
    value = int(text, 2)
    if letter in REGISTER_RANGES:
        first, step, _ = REGISTER_RANGES[letter]
        return first + step * value
    return value - (1 << len(text)) if letter == "k" and text[0] == "1" else value


def _fixed(bits: str) -> tuple[int, int]:
    """Return a mask of the bits that tell a form from others, and their values."""
    mask = "".join("1" if place in "01" else "0" for place in bits)
    return int(mask, 2), int("".join(place if place in "01" else "0" for place in bits), 2)


ALL_FORMS: Mapping[str, Form] = {
    **FORMS,
    **{f"{name} {pointer}": form for (name, pointer), form in POINTER_FORMS.items()},
}
_DECODING = [(name, form, *_fixed(form.bits)) for name, form in ALL_FORMS.items()]
