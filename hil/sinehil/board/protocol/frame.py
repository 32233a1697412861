"""Frame layout, message types and error codes; the numbers stand in hil/PROTOCOL.md."""

import struct
from dataclasses import dataclass
from enum import IntEnum

REPLY = 0x80
HEADER = struct.Struct("<BBI")
CRC = struct.Struct("<I")
FLOAT_BYTES = 4
MAX_VALUES = 64  # inputs or outputs of a sample
MIN_REPLY_PAYLOAD = 112  # what every board has room for; a float32 sample may need more
MAX_PAYLOAD = MAX_VALUES * FLOAT_BYTES
MAX_FRAME = HEADER.size + MAX_PAYLOAD + CRC.size


class MessageType(IntEnum):
    """Requests; a reply is ``request | REPLY``."""

    IDENTIFY = 0x01
    ECHO = 0x02
    INFER_F32 = 0x03
    INFER_I8 = 0x04
    BENCH = 0x05
    STATS = 0x06
    BENCH_I8 = 0x07
    ERROR = 0xFF


def type_name(kind: int) -> str:
    """Return what a frame of this type is called, requests, replies and unknown ones."""
    names = {int(known): known.name for known in MessageType}
    name = names.get(kind) or names.get(kind ^ REPLY)
    return f"type 0x{kind:02x}" if name is None else name if kind in names else f"{name} reply"


class ErrorCode(IntEnum):
    """Why a board refuses a request."""

    UNKNOWN_TYPE = 1
    BAD_LENGTH = 2
    BAD_SESSION = 3


class ProtocolError(ValueError):
    """A frame with a right checksum whose payload makes no sense."""


@dataclass(frozen=True)
class Frame:
    """One request or reply; ``type`` is a MessageType, for replies with REPLY set."""

    type: int
    seq: int
    session: int
    payload: bytes = b""
