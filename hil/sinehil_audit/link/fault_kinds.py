"""What can go wrong on a line, and what each kind does to the bytes of one piece: a request or a reply as sent."""

from collections.abc import Callable
from enum import StrEnum

from cobs import cobs

from sinehil_audit.link.seeded_random import Dice

Damage = Callable[[bytes, Dice], bytes]


class Kind(StrEnum):
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


ENDING = frozenset({Kind.RESET, Kind.EXCHANGED, Kind.DISCONNECTED})
"""After one of these a run must not pass."""


def _flip_bits(data: bytes, dice: Dice) -> bytes:
    damaged = bytearray(data)
    for _ in range(dice.between(1, 5)):
        damaged[dice.below(len(data))] ^= 1 << dice.below(8)
    return bytes(damaged)


def _drop(data: bytes, dice: Dice) -> bytes:
    at = dice.below(len(data))
    return data[:at] + data[at + dice.between(1, 8) :]


def _double(data: bytes, dice: Dice) -> bytes:
    at, count = dice.below(len(data)), dice.between(1, 4)
    return data[: at + count] + data[at:]


def _insert(data: bytes, dice: Dice) -> bytes:
    at = dice.below(len(data) + 1)
    return data[:at] + dice.data(dice.between(1, 8)) + data[at:]


def _burst(data: bytes, dice: Dice) -> bytes:
    """Longer than 32 bits, so that no CRC-32 is certain to notice."""
    at, count = dice.below(len(data)), dice.between(5, 24)
    return data[:at] + dice.data(len(data[at : at + count])) + data[at + count :]


def _cut(data: bytes, dice: Dice) -> bytes:
    return data[: dice.below(len(data))]


def noise(dice: Dice) -> bytes:
    """Return what is no frame: random bytes, text, one byte many times, and what is a frame but for its checksum."""
    count = dice.between(1, 300)
    style = dice.below(4)
    if style == 0:
        return dice.data(count)
    if style == 1:
        return (b"x:%d.%03d,y:0.943\r\n" % (dice.below(7), dice.below(1000)))[-count:]
    if style == 2:
        return bytes([dice.below(256)]) * count
    encoded: bytes = cobs.encode(dice.data(dice.between(10, 60)))
    return b"\0" + encoded + b"\0"


def _surround(data: bytes, dice: Dice) -> bytes:
    before, behind = ((noise(dice) if dice.below(3) else b"") for _ in range(2))
    return before + data + behind if before or behind else noise(dice) + data


DAMAGE: dict[Kind, Damage] = {
    Kind.BIT_FLIPS: _flip_bits,
    Kind.DROPPED: _drop,
    Kind.DOUBLED: _double,
    Kind.INSERTED: _insert,
    Kind.BURST: _burst,
    Kind.GARBAGE: _surround,
    Kind.PARTIAL: _cut,
    Kind.LOST: lambda _data, _dice: b"",
}
