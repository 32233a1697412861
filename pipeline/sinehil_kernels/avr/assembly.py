"""Assemble a function: instructions and labels to words, with branches that do not reach made longer."""

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, count

from sinehil_kernels.avr.chip import Call
from sinehil_kernels.avr.isa import INVERSE, Operand, encode

NOTE_COLUMN = 36
NEAR = 56  # words to a jump that a branch shares, with room for what comes between
ADDRESS_BYTE = re.compile(r"(lo8|hi8)\((\w+)\)")
REACH_WORDS = 1800  # of an RJMP, less what branches that are made longer add
JUMPS = {*INVERSE, "rjmp", "rcall"}


@dataclass(frozen=True)
class Instruction:
    """One line; a jump's operand is a label, an immediate may be ``lo8(label)`` or ``hi8(label)``."""

    mnemonic: str
    operands: tuple[Operand, ...]
    note: str = ""

    def text(self) -> str:
        """Return the line as the GNU assembler reads it."""
        line = f"\t{self.mnemonic} {', '.join(self._shown(operand) for operand in self.operands)}".rstrip()
        return f"{line.expandtabs(8):{NOTE_COLUMN}}; {self.note}" if self.note else line.expandtabs(8)

    def _shown(self, operand: Operand) -> str:
        is_label = self.mnemonic in JUMPS and operand == self.operands[-1]
        return f".L{operand}" if is_label else re.sub(r"\((\w+)\)", r"(.L\1)", str(operand))


@dataclass(frozen=True)
class Label:
    """A place that jumps name."""

    name: str


@dataclass(frozen=True)
class Comment:
    """A line for the reader."""

    text: str


@dataclass(frozen=True)
class Data:
    """Bytes in flash; an even number, since code may follow. ``parts``: how many of them each comment is about."""

    values: bytes
    parts: tuple[tuple[str, int], ...] = ()


Item = Instruction | Label | Comment | Data


@dataclass
class Assembly:
    """A function under construction."""

    items: list[Item] = field(default_factory=list)
    numbers: Iterator[int] = field(
        default_factory=lambda: count(1)
    )  # of labels; parts of one function share it
    aside: list[Item] = field(default_factory=list)  # code that only jumps lead to, and that ends with a jump
    _placed: int = 0  # where such code was placed last

    def op(self, mnemonic: str, *operands: Operand, note: str = "") -> None:
        """Add an instruction."""
        self.items.append(Instruction(mnemonic, operands, note))

    def label(self, name: str) -> None:
        """Place a label here."""
        self.items.append(Label(name))

    def new_label(self, stem: str) -> str:
        """Return a name that no other label has."""
        return f"{stem}_{next(self.numbers)}"

    def beside(self) -> "Assembly":
        """Return an empty part of the same function."""
        return Assembly(numbers=self.numbers)

    @property
    def words(self) -> int:
        """How long it is, less what was set aside."""
        return _count_words(self.items)

    def make_room(self, words: int) -> None:
        """Place here what was set aside, and go round it, if it would be out of reach behind so many words more."""
        since = self.items[self._placed :]
        if not self.aside or _count_words([*since, *self.aside]) + words <= REACH_WORDS:
            return
        beyond = self.new_label("round")
        self.op("rjmp", beyond)
        self.items += self.aside
        self.label(beyond)
        self.aside, self._placed = [], len(self.items)

    def comment(self, text: str) -> None:
        """Add a line of comment."""
        self.items.append(Comment(text))

    def data(self, values: bytes) -> None:
        """Add bytes, filled up with a zero to an even number."""
        self.items.append(Data(values + b"\0" * (len(values) % 2)))

    def rows(self, rows: Sequence[tuple[str, bytes]]) -> None:
        """Add bytes, each row under its comment; filled up as ``data`` does it."""
        values = b"".join(row for _, row in rows)
        parts = tuple((comment, len(row)) for comment, row in rows)
        self.items.append(Data(values + b"\0" * (len(values) % 2), parts))

    def assemble(self) -> "Program":
        """Return the placed program; branches that do not reach become an inverted branch over an RJMP."""
        items: list[Item] = list(self.items)
        while True:
            addresses, labels = _place(items)
            far = next(_far_branches(items, addresses, labels), None)
            if far is None:
                return Program(tuple(items), tuple(_words(items, addresses, labels)), labels)
            self._make_longer(items, addresses, far)

    def _make_longer(self, items: list[Item], addresses: Sequence[int], index: int) -> None:
        """Let the branch reach an RJMP to its label that is near enough, or else go over one of its own."""
        branch = items[index]
        assert isinstance(branch, Instruction)
        jump = Instruction("rjmp", branch.operands, branch.note)
        first = bisect_left(addresses, addresses[index] - NEAR)
        near = (
            at
            for at in range(first, bisect_right(addresses, addresses[index] + NEAR))
            if isinstance(item := items[at], Instruction)
            and (item.mnemonic, item.operands) == (jump.mnemonic, jump.operands)
        )
        island = next(near, None)
        if island is None:
            items[index : index + 1] = self._over_a_jump(branch)
            return
        label = self.new_label("far")
        items[index] = replace(branch, operands=(label,))
        items.insert(island, Label(label))

    def _over_a_jump(self, item: Item) -> list[Item]:
        assert isinstance(item, Instruction)
        over = self.new_label("near")
        jump = Instruction("rjmp", item.operands, item.note)
        return [Instruction(INVERSE[item.mnemonic], (over,)), jump, Label(over)]


@dataclass(frozen=True)
class Program:
    """A function in place: ``words`` from address 0 on; ``labels`` name word addresses.

    ``calls`` are those that ``trial.call_once`` ran, by input codes: they belong to these very words, so that
    ``dataclasses.replace`` begins with none.
    """

    items: tuple[Item, ...]
    words: tuple[int, ...]
    labels: Mapping[str, int]
    calls: dict[tuple[int, ...], Call] = field(init=False, default_factory=dict, compare=False, repr=False)

    @property
    def image(self) -> bytes:
        """The bytes as they lie in flash."""
        return b"".join(word.to_bytes(2, "little") for word in self.words)

    @property
    def address_words(self) -> tuple[int, ...]:
        """The words that hold a byte of an address, which the linker fills in: where they are, in words."""
        addresses, _ = _place(self.items)
        return tuple(
            at
            for item, at in zip(self.items, addresses, strict=True)
            if isinstance(item, Instruction) and any(ADDRESS_BYTE.fullmatch(str(o)) for o in item.operands)
        )

    def text(self) -> str:
        """Return the lines as the GNU assembler reads them."""
        return "".join(f"{_item_text(item)}\n" for item in self.items)


def _item_text(item: Item) -> str:
    if isinstance(item, Instruction):
        return item.text()
    if isinstance(item, Label):
        return f".L{item.name}:"
    if isinstance(item, Comment):
        return f"; {item.text}" if item.text else ""
    return "\n".join(_data_lines(item))


def _data_lines(item: Data) -> Iterator[str]:
    first = 0
    for comment, size in item.parts:
        yield f"; {comment}"
        yield from _byte_lines(item.values[first : first + size])
        first += size
    yield from _byte_lines(item.values[first:])


def _byte_lines(values: bytes) -> Iterator[str]:
    for at in range(0, len(values), 16):
        yield f"        .byte {', '.join(map(str, values[at : at + 16]))}"


def _size_words(item: Item) -> int:
    kind = type(item)  # not isinstance: this is the innermost call of placing a long function
    if kind is Instruction:
        return 1
    return len(item.values) // 2 if isinstance(item, Data) else 0


def _count_words(items: Sequence[Item]) -> int:
    return sum(map(_size_words, items))


def _place(items: Sequence[Item]) -> tuple[list[int], dict[str, int]]:
    """Return the word address of each item, and of each label."""
    addresses = list(accumulate(map(_size_words, items), initial=0))[:-1]
    placed = [(item.name, at) for item, at in zip(items, addresses, strict=True) if type(item) is Label]
    labels = dict(placed)
    if len(labels) != len(placed):
        twice = Counter(name for name, _ in placed).most_common(1)[0][0]
        raise AssertionError(f"label {twice} is placed twice")
    return addresses, labels


def _far_branches(
    items: Sequence[Item], addresses: Sequence[int], labels: Mapping[str, int]
) -> Iterator[int]:
    """Yield where branches stand that do not reach their label."""
    for index, item in enumerate(items):
        if type(item) is Instruction and item.mnemonic in INVERSE:
            distance = labels[str(item.operands[0])] - addresses[index] - 1
            if not -64 <= distance < 64:
                yield index


def _words(items: Sequence[Item], addresses: Sequence[int], labels: Mapping[str, int]) -> list[int]:
    words = []
    for item, at in zip(items, addresses, strict=True):
        if isinstance(item, Data):
            values = item.values
            words += [
                int.from_bytes(values[index : index + 2], "little") for index in range(0, len(values), 2)
            ]
        elif isinstance(item, Instruction):
            operands = tuple(_resolved(item, operand, at, labels) for operand in item.operands)
            words.append(encode(item.mnemonic, operands))
    return words


def _resolved(item: Instruction, operand: Operand, at: int, labels: Mapping[str, int]) -> Operand:
    if item.mnemonic in JUMPS and operand == item.operands[-1]:
        return labels[str(operand)] - at - 1
    if (found := ADDRESS_BYTE.fullmatch(str(operand))) is not None:
        byte_address = 2 * labels[found[2]]
        return byte_address & 0xFF if found[1] == "lo8" else byte_address >> 8
    return operand
