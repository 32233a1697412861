"""Parse frames and requests without the code under test.

Nothing here may import ``sinehil``: the audit checks what it says with this parser.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from cobs import cobs

HEADER, CRC = struct.Struct("<BBI"), struct.Struct("<I")
IDENTIFY, ECHO, INFER_F32, INFER_I8 = 0x01, 0x02, 0x03, 0x04
REPLY, ERROR = 0x80, 0xFF
SHORTEST = HEADER.size + CRC.size


@dataclass(frozen=True)
class ParsedRequest:
    """A whole request with a right checksum, as it reached a board. ``crc`` is its own."""

    kind: int
    seq: int
    session: int
    payload: bytes
    crc: int


class RequestParser:
    """Finds the requests in what a board receives."""

    def __init__(self) -> None:
        self._rest = b""

    def reset(self) -> None:
        """Forget the beginning of a frame."""
        self._rest = b""

    def feed(self, data: bytes) -> list[ParsedRequest]:
        """Return the requests that ``data`` completes."""
        *complete, self._rest = (self._rest + data).split(b"\0")
        return [seen for piece in complete if piece for seen in _parsed(piece)]


def _parsed(encoded: bytes) -> Iterator[ParsedRequest]:
    body = body_of(encoded)
    if body is None:
        return
    crc: int = CRC.unpack_from(body, len(body) - CRC.size)[0]
    if zlib.crc32(body[: -CRC.size]) == crc:
        kind, seq, session = HEADER.unpack_from(body)
        yield ParsedRequest(kind, seq, session, body[HEADER.size : -CRC.size], crc)


def body_of(encoded: bytes) -> bytes | None:
    """Return what stands between two delimiters, decoded, with its checksum, whatever that is; None if too short."""
    try:
        body: bytes = cobs.decode(encoded)
    except cobs.DecodeError:
        return None
    return body if len(body) >= SHORTEST else None


def address(piece: bytes) -> tuple[int, int] | None:
    """Return sequence number and session of a frame as it stands on the wire, the same in request and reply."""
    body = body_of(piece.strip(b"\0"))
    return None if body is None else HEADER.unpack_from(body)[1:]


def request(kind: int, seq: int, session: int, payload: bytes) -> bytes:
    """Return a request as it goes onto the wire."""
    body = HEADER.pack(kind, seq, session) + payload
    encoded: bytes = cobs.encode(body + CRC.pack(zlib.crc32(body)))
    return b"\0" + encoded + b"\0"


class FrameSplitter:
    """Feed it bytes as they come. What is no frame stays with the delimiter that ends it."""

    def __init__(self) -> None:
        self._pending = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Return the pieces that ``data`` completes, with their delimiters."""
        self._pending += data
        pieces = []
        while (end := self._pending.find(b"\0", 1)) > 0:
            pieces.append(self._pending[: end + 1])
            self._pending = self._pending[end + 1 :]
        return pieces

    def rest(self) -> bytes:
        """Return what no delimiter has ended yet, and forget it."""
        rest, self._pending = self._pending, b""
        return rest
