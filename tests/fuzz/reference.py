"""The wire of hil/PROTOCOL.md once more, chunk by chunk and bit by bit; shares no code with sinehil.protocol."""

from dataclasses import dataclass

HEADER, CRC, MOST = 6, 4, 6 + 256 + 4


@dataclass(frozen=True)
class Found:
    """What a stream holds: frames as (type, seq, session, payload), and how many chunks were damaged."""

    frames: list[tuple[int, int, int, bytes]]
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


def sealed(kind: int, seq: int, session: int, payload: bytes) -> bytes:
    body = bytes([kind, seq]) + session.to_bytes(4, "little") + payload
    return stuffed(body + crc32(body).to_bytes(4, "little"))


def found_in(stream: bytes) -> Found:
    """What a decoder must find in a stream that begins at a frame's start."""
    frames, crc_errors, framing_errors = [], 0, 0
    *chunks, _ = stream.split(b"\0")
    for chunk in filter(None, chunks):
        body = unstuffed(chunk)
        if body is None or not HEADER + CRC <= len(body) <= MOST:
            framing_errors += 1
        elif crc32(body[:-CRC]) != int.from_bytes(body[-CRC:], "little"):
            crc_errors += 1
        else:
            session = int.from_bytes(body[2:HEADER], "little")
            frames.append((body[0], body[1], session, body[HEADER:-CRC]))
    return Found(frames, crc_errors, framing_errors)
