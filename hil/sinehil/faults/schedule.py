"""Which faults strike a run, as data: the same for the same seed and case, so that every run can be had again."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sinehil.faults.dice import Dice
from sinehil.faults.kinds import ENDING, Kind

ONE_IN = (3, 6, 12, 24)  # how often a piece is struck
MORE = 3
BIT_ERROR_RATES = (1e-5, 1e-4, 1e-3)
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
ROWS: tuple[str, ...] = (*Kind, *(f"bit error rate {rate:g}" for rate in BIT_ERROR_RATES), EVERYTHING)


def schedule_of(seed: int, case: int, pieces: int) -> Schedule:
    """Return the faults of a case; cases take turns at the rows of the table.

    What ends a run strikes once, somewhere among the first ``pieces``.
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
    return Schedule(row, (), BIT_ERROR_RATES[ROWS.index(row) - len(Kind)], dice.word())


def _single(kind: Kind, pieces: int, dice: Dice) -> list[Fault]:
    way = _one_of(list(Way), dice)
    return [Fault(Way(way), dice.below(pieces), kind, dice.word())]


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


def _one_of(kinds: Sequence[Kind], dice: Dice) -> Kind:
    return kinds[dice.below(len(kinds))]
