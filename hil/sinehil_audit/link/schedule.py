"""Which faults strike a run, as data: the same for the same seed and case, so that every run can be had again."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from sinehil_audit.link.fault_kinds import ENDING, Kind
from sinehil_audit.link.seeded_random import Dice

Item = TypeVar("Item")

ONE_IN = (3, 6, 12, 24)  # how often a piece is struck
MORE = 3
FEW = 8
BIT_ERROR_RATES = (1e-5, 1e-4, 1e-3)
AT_THE_END = "reset or exchanged at the end"
OLD_HANDSHAKE = "old handshake to another life"
EVERYTHING = "all together"


class Way(StrEnum):
    """A direction of the line."""

    TO_BOARD = "to the board"
    TO_HOST = "to the host"


@dataclass(frozen=True)
class Fault:
    """A fault that strikes the piece with this number, from 0, on one way; ``word`` decides all its particulars."""

    way: Way
    piece: int
    kind: Kind
    word: int


@dataclass(frozen=True)
class Schedule:
    """All faults of one run. ``bit_error_rate`` is of every bit on both ways; ``noise_seed`` says which are hit."""

    row: str
    faults: tuple[Fault, ...] = ()
    bit_error_rate: float = 0.0
    noise_seed: int = 0


CLEAN = Schedule("none")
NOISY = tuple(f"bit error rate {rate:g}" for rate in BIT_ERROR_RATES)
ROWS: tuple[str, ...] = (*Kind, AT_THE_END, OLD_HANDSHAKE, *NOISY, EVERYTHING)


def schedule_of(seed: int, case: int, pieces: int) -> Schedule:
    """Return the faults of a case; cases take turns at the rows of the table.

    What ends a run strikes once, somewhere among the ``pieces`` that a clean run has.
    """
    dice, row = Dice(seed, case), ROWS[case % len(ROWS)]
    if row in set(Kind):
        kind = Kind(row)
        faults = _single(kind, pieces, dice) if kind in ENDING else _repeated([kind], pieces, dice)
        return Schedule(row, tuple(faults))
    if row == EVERYTHING:
        ending = _single(_one_of(sorted(ENDING), dice), pieces, dice) if dice.below(3) == 0 else []
        faults = sorted(
            [*_repeated(sorted(set(Kind) - ENDING), pieces, dice), *ending], key=lambda f: (f.way, f.piece)
        )
        return Schedule(row, tuple(faults), 1e-5, dice.word())
    if row in NOISY:
        return Schedule(row, (), BIT_ERROR_RATES[NOISY.index(row)], dice.word())
    return Schedule(row, tuple(_at_the_end(pieces, dice) if row == AT_THE_END else _old_handshake(dice)))


def _at_the_end(pieces: int, dice: Dice) -> list[Fault]:
    """End a board's life at one of the last requests, and lose some of the replies from there on."""
    way, first = _one_of(list(Way), dice), max(0, pieces - 1 - dice.below(3))
    return [Fault(way, first, _new_life(dice), dice.word()), *_losses(first + (way is Way.TO_HOST), dice)]


def _old_handshake(dice: Dice) -> list[Fault]:
    """Let a copy of the first IDENTIFY come late, perhaps to a board that begins another life, and lose replies."""
    ended = dice.between(1, FEW)
    return [
        Fault(Way.TO_BOARD, 0, Kind.TWICE, dice.word()),
        Fault(Way.TO_BOARD, ended, _new_life(dice), dice.word()),
        *_losses(ended, dice),
    ]


def _new_life(dice: Dice) -> Kind:
    return _one_of([Kind.RESET, Kind.EXCHANGED], dice)


def _losses(first: int, dice: Dice) -> list[Fault]:
    pieces = (piece for piece in range(first, first + FEW) if dice.below(2))
    return [Fault(Way.TO_HOST, piece, Kind.LOST, dice.word()) for piece in pieces]


def _single(kind: Kind, pieces: int, dice: Dice) -> list[Fault]:
    way = _one_of(list(Way), dice)
    return [Fault(way, dice.below(pieces), kind, dice.word())]


def _repeated(kinds: Sequence[Kind], pieces: int, dice: Dice) -> list[Fault]:
    """Strike pieces of one way or both, independently of each other, as often as this case has it.

    Faults are planned for more pieces than a good line takes: a bad one takes more.
    """
    probability = 1 / ONE_IN[dice.below(len(ONE_IN))]
    ways = ([Way.TO_BOARD], [Way.TO_HOST], list(Way))[dice.below(3)]
    faults = []
    for way in ways:
        piece = dice.gap(probability)
        while piece < MORE * pieces:
            faults.append(Fault(way, piece, _one_of(kinds, dice), dice.word()))
            piece += 1 + dice.gap(probability)
    return faults


def _one_of(items: Sequence[Item], dice: Dice) -> Item:
    return items[dice.below(len(items))]
