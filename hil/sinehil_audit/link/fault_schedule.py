"""Draw the faults of a run from a seed: their kinds, what each does to bytes, and which pieces it strikes."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

import numpy as np
from cobs import cobs

WORD = 64


class SeededRandom:
    """A stream of numbers; the seed may have several parts."""

    def __init__(self, *seed: int) -> None:
        self._bits = np.random.PCG64(seed)

    def word(self) -> int:
        """Return 64 bits."""
        return int(self._bits.random_raw())

    def below(self, count: int) -> int:
        """Return a number from 0 to count - 1."""
        return self.word() * count >> WORD

    def between(self, low: int, high: int) -> int:
        """Return a number from low to high."""
        return low + self.below(high - low + 1)

    def happens(self, probability: float) -> bool:
        """Return whether something of this probability happens."""
        return self.word() < probability * 2.0**WORD

    def gap(self, probability: float) -> int:
        """Return how many times something of this probability does not happen before it does."""
        return int(math.log((self.word() + 1) / 2.0**WORD) / math.log1p(-probability))

    def data(self, count: int) -> bytes:
        """Return ``count`` random bytes."""
        return np.asarray(self._bits.random_raw(count // 8 + 1), dtype="<u8").tobytes()[:count]


Damage = Callable[[bytes, SeededRandom], bytes]


class FaultKind(StrEnum):
    """Kinds of faults, by the names that the table has."""

    BIT_FLIPS = "bits flipped"
    DROPPED = "bytes dropped"
    DOUBLED = "bytes doubled"
    INSERTED = "bytes inserted"
    BURST = "bursts"
    GARBAGE = "garbage between frames"
    PARTIAL = "partial writes"
    LOST = "frames lost"
    DELAYED = "delays up to 4 s"
    STALLED = "stalls up to 5 s"
    TWICE = "frames twice, at once or later"
    REORDERED = "frames out of order"
    REPLAYED = "frames of an earlier session"
    RESET = "board reset"
    EXCHANGED = "board exchanged"
    DISCONNECTED = "port gone"


ENDING = frozenset({FaultKind.RESET, FaultKind.EXCHANGED, FaultKind.DISCONNECTED})
"""After one of these a run must not pass."""


def _flip_bits(data: bytes, rng: SeededRandom) -> bytes:
    damaged = bytearray(data)
    for _ in range(rng.between(1, 5)):
        damaged[rng.below(len(data))] ^= 1 << rng.below(8)
    return bytes(damaged)


def _drop(data: bytes, rng: SeededRandom) -> bytes:
    at = rng.below(len(data))
    return data[:at] + data[at + rng.between(1, 8) :]


def _double(data: bytes, rng: SeededRandom) -> bytes:
    at, count = rng.below(len(data)), rng.between(1, 4)
    return data[: at + count] + data[at:]


def _insert(data: bytes, rng: SeededRandom) -> bytes:
    at = rng.below(len(data) + 1)
    return data[:at] + rng.data(rng.between(1, 8)) + data[at:]


def _burst(data: bytes, rng: SeededRandom) -> bytes:
    """Longer than 32 bits, so that no CRC-32 is certain to notice."""
    at, count = rng.below(len(data)), rng.between(5, 24)
    return data[:at] + rng.data(len(data[at : at + count])) + data[at + count :]


def _cut(data: bytes, rng: SeededRandom) -> bytes:
    return data[: rng.below(len(data))]


def noise(rng: SeededRandom) -> bytes:
    """Return what is no frame: random bytes, text, one byte many times, and what is a frame but for its checksum."""
    count = rng.between(1, 300)
    style = rng.below(4)
    if style == 0:
        return rng.data(count)
    if style == 1:
        return (b"x:%d.%03d,y:0.943\r\n" % (rng.below(7), rng.below(1000)))[-count:]
    if style == 2:
        return bytes([rng.below(256)]) * count
    encoded: bytes = cobs.encode(rng.data(rng.between(10, 60)))
    return b"\0" + encoded + b"\0"


def _surround(data: bytes, rng: SeededRandom) -> bytes:
    before, behind = ((noise(rng) if rng.below(3) else b"") for _ in range(2))
    return before + data + behind if before or behind else noise(rng) + data


DAMAGE: dict[FaultKind, Damage] = {
    FaultKind.BIT_FLIPS: _flip_bits,
    FaultKind.DROPPED: _drop,
    FaultKind.DOUBLED: _double,
    FaultKind.INSERTED: _insert,
    FaultKind.BURST: _burst,
    FaultKind.GARBAGE: _surround,
    FaultKind.PARTIAL: _cut,
    FaultKind.LOST: lambda _data, _dice: b"",
}


Item = TypeVar("Item")

ONE_IN = (3, 6, 12, 24)  # how often a piece is struck
MORE = 3
FEW = 8
BIT_ERROR_RATES = (1e-5, 1e-4, 1e-3)
AT_THE_END = "reset or exchanged at the end"
OLD_HANDSHAKE = "old handshake to another life"
EVERYTHING = "all together"


class Direction(StrEnum):
    """A direction of the line."""

    TO_BOARD = "to the board"
    TO_HOST = "to the host"


@dataclass(frozen=True)
class Fault:
    """A fault of one piece in one direction, by its number from 0; ``word`` decides all its particulars."""

    direction: Direction
    piece: int
    kind: FaultKind
    word: int


@dataclass(frozen=True)
class Schedule:
    """All faults of one run. ``bit_error_rate`` is of every bit both ways; ``noise_seed`` says which are hit."""

    row: str
    faults: tuple[Fault, ...] = ()
    bit_error_rate: float = 0.0
    noise_seed: int = 0


CLEAN = Schedule("none")
NOISY = tuple(f"bit error rate {rate:g}" for rate in BIT_ERROR_RATES)
ROWS: tuple[str, ...] = (*FaultKind, AT_THE_END, OLD_HANDSHAKE, *NOISY, EVERYTHING)


def schedule_of(seed: int, case: int, pieces: int) -> Schedule:
    """Return the faults of a case; cases take turns at the rows of the table.

    What ends a run strikes once, somewhere among the ``pieces`` that a clean run has.
    """
    rng, row = SeededRandom(seed, case), ROWS[case % len(ROWS)]
    if row in set(FaultKind):
        kind = FaultKind(row)
        faults = _single(kind, pieces, rng) if kind in ENDING else _repeated([kind], pieces, rng)
        return Schedule(row, tuple(faults))
    if row == EVERYTHING:
        ending = _single(_one_of(sorted(ENDING), rng), pieces, rng) if rng.below(3) == 0 else []
        faults = sorted(
            [*_repeated(sorted(set(FaultKind) - ENDING), pieces, rng), *ending],
            key=lambda f: (f.direction, f.piece),
        )
        return Schedule(row, tuple(faults), 1e-5, rng.word())
    if row in NOISY:
        return Schedule(row, (), BIT_ERROR_RATES[NOISY.index(row)], rng.word())
    return Schedule(row, tuple(_at_the_end(pieces, rng) if row == AT_THE_END else _old_handshake(rng)))


def _at_the_end(pieces: int, rng: SeededRandom) -> list[Fault]:
    """End a board's life at one of the last requests, and lose some of the replies from there on."""
    direction, first = _one_of(list(Direction), rng), max(0, pieces - 1 - rng.below(3))
    return [
        Fault(direction, first, _new_life(rng), rng.word()),
        *_losses(first + (direction is Direction.TO_HOST), rng),
    ]


def _old_handshake(rng: SeededRandom) -> list[Fault]:
    """Let a copy of the first IDENTIFY come late, perhaps to a board that begins another life, and lose replies."""
    ended = rng.between(1, FEW)
    return [
        Fault(Direction.TO_BOARD, 0, FaultKind.TWICE, rng.word()),
        Fault(Direction.TO_BOARD, ended, _new_life(rng), rng.word()),
        *_losses(ended, rng),
    ]


def _new_life(rng: SeededRandom) -> FaultKind:
    return _one_of([FaultKind.RESET, FaultKind.EXCHANGED], rng)


def _losses(first: int, rng: SeededRandom) -> list[Fault]:
    pieces = (piece for piece in range(first, first + FEW) if rng.below(2))
    return [Fault(Direction.TO_HOST, piece, FaultKind.LOST, rng.word()) for piece in pieces]


def _single(kind: FaultKind, pieces: int, rng: SeededRandom) -> list[Fault]:
    direction = _one_of(list(Direction), rng)
    return [Fault(direction, rng.below(pieces), kind, rng.word())]


def _repeated(kinds: Sequence[FaultKind], pieces: int, rng: SeededRandom) -> list[Fault]:
    """Strike pieces in one direction or both, independently of each other, as often as this case has it.

    Faults are planned for more pieces than a good line takes: a bad one takes more.
    """
    probability = 1 / ONE_IN[rng.below(len(ONE_IN))]
    directions = ([Direction.TO_BOARD], [Direction.TO_HOST], list(Direction))[rng.below(3)]
    faults = []
    for direction in directions:
        piece = rng.gap(probability)
        while piece < MORE * pieces:
            faults.append(Fault(direction, piece, _one_of(kinds, rng), rng.word()))
            piece += 1 + rng.gap(probability)
    return faults


def _one_of(items: Sequence[Item], rng: SeededRandom) -> Item:
    return items[rng.below(len(items))]
