"""The wire of hil/PROTOCOL.md once more, chunk by chunk and bit by bit; shares no code with sinehil.board.protocol."""

from collections.abc import Sequence
from dataclasses import dataclass

HEADER, CRC, MOST = 6, 4, 6 + 256 + 4
IDENTIFY_REPLY, ERROR = 0x81, 0xFF  # what is said to a host that has asked nothing yet
Parts = tuple[int, int, int, bytes]  # type, seq, session, payload


@dataclass(frozen=True)
class Found:
    """What a stream holds: frames as (type, seq, session, payload), and how many chunks were damaged."""

    frames: list[Parts]
    crc_errors: int
    framing_errors: int


def crc32(data: bytes) -> int:
    """The polynomial of IEEE 802.3, reflected."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xEDB88320 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def stuffed(body: bytes) -> bytes:
    """COBS with its delimiters."""
    out, run = bytearray(), bytearray()
    for at, byte in enumerate(body):
        if byte:
            run.append(byte)
        if not byte or (len(run) == 254 and at + 1 < len(body)):
            out += bytes([len(run) + 1]) + run
            run.clear()
    return b"\0" + bytes(out) + bytes([len(run) + 1]) + bytes(run) + b"\0"


def unstuffed(chunk: bytes) -> bytes | None:
    """None for what no encoder makes."""
    out, at = bytearray(), 0
    while at < len(chunk):
        code = chunk[at]
        if at + code > len(chunk):
            return None
        out += chunk[at + 1 : at + code]
        at += code
        if code < 255 and at < len(chunk):
            out.append(0)
    return bytes(out)


def bare(kind: int, seq: int, session: int, payload: bytes) -> bytes:
    """A frame before its checksum."""
    return bytes([kind, seq]) + session.to_bytes(4, "little") + payload


def sealed(kind: int, seq: int, session: int, payload: bytes, before: bytes = b"") -> bytes:
    """A frame on the line, its checksum taken over ``before`` too."""
    body = bare(kind, seq, session, payload)
    return stuffed(body + crc32(before + body).to_bytes(4, "little"))


def request_of(asked: Sequence[Parts], kind: int, seq: int) -> bytes:
    """The bytes that the checksum of a frame covers first: the last request of its number, none if it stands alone."""
    same = [bare(*parts) for parts in asked if parts[1] == seq]
    return b"" if not same or kind in (IDENTIFY_REPLY, ERROR) else same[-1]


def found_in(stream: bytes) -> Found:
    """What a decoder must find in a stream that begins at a frame's start, of a host that has asked nothing."""
    return heard([stream])


def heard(steps: Sequence[bytes | Parts]) -> Found:
    """What a decoder must find in the bytes among steps, each request among them being sent at its place."""
    frames, crc_errors, framing_errors = list[Parts](), 0, 0
    asked, pending = list[Parts](), b""
    for step in steps:
        if isinstance(step, tuple):
            asked.append(step)
            continue
        *chunks, pending = (pending + step).split(b"\0")
        for chunk in filter(None, chunks):
            body = unstuffed(chunk)
            if body is None or not HEADER + CRC <= len(body) <= MOST:
                framing_errors += 1
                continue
            before = request_of(asked, body[0], body[1])
            if crc32(before + body[:-CRC]) != int.from_bytes(body[-CRC:], "little"):
                crc_errors += 1
                continue
            session = int.from_bytes(body[2:HEADER], "little")
            frames.append((body[0], body[1], session, body[HEADER:-CRC]))
    return Found(frames, crc_errors, framing_errors)
