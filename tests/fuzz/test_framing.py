"""Framing on a line that does anything: what is found was sent, and what was sent whole is found."""

import random

import pytest
import reference

from sinehil.board.protocol import Frame, FrameDecoder, encode_frame

SENTINEL = Frame(0x82, 9, 0x01020304, b"\0sentinel\0")


def decoded(stream: bytes) -> list[Frame]:
    return FrameDecoder().feed(stream)


def test_every_length_goes_there_and_back_as_the_reference_has_it() -> None:
    dice = random.Random(1)
    for length in range(257):
        for fill in (bytes(length), b"\1" * length, b"\xff" * length, dice.randbytes(length)):
            frame = Frame(dice.randrange(256), length & 0xFF, dice.getrandbits(32), fill)
            wire = encode_frame(frame)
            assert decoded(wire) == [frame]
            assert reference.found_in(wire).frames == [(frame.type, frame.seq, frame.session, frame.payload)]
            assert reference.found_in(reference.sealed(frame.type, frame.seq, frame.session, fill)) == (
                reference.found_in(wire)
            )


def test_after_any_garbage_the_next_whole_frame_is_found() -> None:
    dice = random.Random(2)
    for alphabet in (bytes(range(256)), b"\0\1\2\3\xff", bytes(range(1, 256))):
        for length in (*range(40), 100, 255, 256, 270, 1000):
            garbage = bytes(dice.choices(alphabet, k=length))
            assert decoded(garbage + encode_frame(SENTINEL))[-1:] == [SENTINEL]


def damage(wire: bytes, dice: random.Random) -> bytes:
    """Flip bits, lose, insert or double bytes, or cut a piece out and put it elsewhere."""
    line = bytearray(wire)
    for _ in range(dice.randrange(1, 5)):
        at, length = dice.randrange(len(line)), dice.randrange(1, 6)
        kind = dice.randrange(5)
        if kind == 0:
            line[at] ^= 1 << dice.randrange(8)
        elif kind == 1:
            del line[at : at + length]
        elif kind == 2:
            line[at:at] = dice.randbytes(length)
        elif kind == 3:
            line[at:at] = line[at : at + length]
        else:
            piece = line[at : at + length]
            del line[at : at + length]
            at = dice.randrange(len(line) + 1)
            line[at:at] = piece
        if not line:
            break
    return bytes(line)


@pytest.mark.parametrize("seed", range(4))
def test_no_frame_is_found_that_was_not_sent(seed: int) -> None:
    dice = random.Random(seed)
    survived = 0
    for _ in range(2500):
        sent = [
            Frame(dice.randrange(256), number, dice.getrandbits(32), dice.randbytes(dice.randrange(60)))
            for number in range(3)
        ]
        found = decoded(damage(b"".join(map(encode_frame, sent)), dice) + encode_frame(SENTINEL))
        assert found[-1] == SENTINEL, (seed, sent)
        assert all(frame in sent for frame in found[:-1]), (seed, sent)
        survived += len(found) - 1
    assert 2500 < survived < 7500, "damage that does nothing, or loses all, shows nothing"


def test_a_decoder_without_a_checksum_would_be_noticed() -> None:
    """The control: damaged frames do reach the checksum, and it is what stops them."""
    dice, stopped = random.Random(9), 0
    for _ in range(500):
        decoder = FrameDecoder()
        decoder.feed(damage(encode_frame(Frame(3, 1, 7, dice.randbytes(30))), dice))
        stopped += decoder.crc_errors
    assert stopped > 50
