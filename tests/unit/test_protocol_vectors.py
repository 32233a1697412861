"""The Python implementation against the vectors that the firmware's C++ meets too."""

import zlib
from pathlib import Path

import pytest
from cobs import cobs

from sinehil.board.protocol import REPLY, Frame, FrameDecoder, SentRequests, encode_frame

VECTORS = Path(__file__).parents[1] / "vectors"


def rows(name: str) -> list[list[str]]:
    lines = (VECTORS / f"{name}.txt").read_text().splitlines()
    found = [
        [cell.strip() for cell in line.split("|")] for line in lines if line and not line.startswith("#")
    ]
    assert found
    return found


def unhex(text: str) -> bytes:
    return b"" if text == "-" else bytes.fromhex(text)


def frame_from(kind: str, seq: str, session: str, payload: str) -> Frame:
    return Frame(int(kind, 16), int(seq, 16), int(session, 16), unhex(payload))


@pytest.mark.parametrize(("data", "crc"), rows("crc32"))
def test_crc32(data: str, crc: str) -> None:
    assert zlib.crc32(unhex(data)) == int(crc, 16)


@pytest.mark.parametrize(("plain", "stuffed"), rows("cobs"))
def test_cobs(plain: str, stuffed: str) -> None:
    assert cobs.encode(unhex(plain)) == unhex(stuffed)
    assert cobs.decode(unhex(stuffed)) == unhex(plain)


@pytest.mark.parametrize("row", rows("frames") + rows("long_frames"))
def test_frames_both_ways(row: list[str]) -> None:
    frame, wire = frame_from(*row[:4]), unhex(row[4])
    assert encode_frame(frame) == wire
    assert FrameDecoder().feed(wire) == [frame]


@pytest.mark.parametrize("row", rows("replies"))
def test_replies_are_bound_to_their_requests(row: list[str]) -> None:
    request, wire = frame_from(*row[:4]), unhex(row[5])
    reply = Frame(request.type | REPLY, request.seq, request.session, unhex(row[4]))
    sent = SentRequests()
    sent.add(request)
    assert encode_frame(reply, sent.crc_before(reply.type, reply.seq)) == wire
    assert FrameDecoder(sent.crc_before).feed(wire) == [reply]
    assert FrameDecoder().feed(wire) == [], "it does not stand alone"


@pytest.mark.parametrize(("name", "wire", "frames", "crc_errors", "framing_errors"), rows("streams"))
@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_streams_in_pieces(
    name: str, wire: str, frames: str, crc_errors: str, framing_errors: str, piece: int
) -> None:
    decoder, data = FrameDecoder(), unhex(wire)
    found = [frame for at in range(0, len(data), piece) for frame in decoder.feed(data[at : at + piece])]
    expected = [] if frames == "-" else [frame_from(*text.split(":")) for text in frames.split(",")]
    assert found == expected, name
    assert (decoder.crc_errors, decoder.framing_errors) == (int(crc_errors), int(framing_errors)), name
