"""Unpack and check the payloads of replies; offsets stand in hil/PROTOCOL.md."""

import math
import struct
from dataclasses import dataclass
from typing import Any, Self

from sinehil.board.protocol.frame import FLOAT_BYTES, MAX_VALUES, MIN_REPLY_PAYLOAD, ErrorCode, ProtocolError

VERSION = 2
SHA256_BYTES = 32
_IDENTIFY = struct.Struct("<BBHIII12s12s12s12s32sffbbBB")
_BENCH = struct.Struct("<BIII")
_STATS = struct.Struct("<IIIIHHBBB")


@dataclass(frozen=True)
class IdentifyReply:
    """Who the board says it is. Strings are printable ASCII; scales are finite and positive."""

    protocol_version: int
    max_payload: int
    window_bytes: int
    clock_hz: int
    life: int
    weights_crc32: int
    firmware: str
    board: str
    engine: str
    oracle: str
    model_sha256: str
    input_scale: float
    output_scale: float
    input_zero_point: int
    output_zero_point: int
    inputs: int
    outputs: int

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """Raise ProtocolError for another version, length or impossible values."""
        if not payload or payload[0] != VERSION:
            raise ProtocolError(f"version {payload[0] if payload else 'missing'}, this host speaks {VERSION}")
        fields = _unpack(_IDENTIFY, payload, "IDENTIFY")
        named = {name: _plain(value) for name, value in zip(cls.__dataclass_fields__, fields, strict=True)}
        reply = cls(**named | {"max_payload": named["max_payload"] or 256})  # a byte that has no room for 256
        if not all(1 <= values <= MAX_VALUES for values in (reply.inputs, reply.outputs)):
            raise ProtocolError(f"IDENTIFY with {reply.inputs} inputs and {reply.outputs} outputs")
        scales = (reply.input_scale, reply.output_scale)
        if (
            reply.max_payload < reply.inputs * FLOAT_BYTES
            or reply.window_bytes < 32
            or reply.clock_hz == 0
            or not all(map(_is_scale, scales))
        ):
            raise ProtocolError("IDENTIFY with impossible limits or scales")
        return reply

    @property
    def max_reply_payload(self) -> int:
        """The largest reply payload that the board has room for, in bytes."""
        return max(MIN_REPLY_PAYLOAD, self.outputs * FLOAT_BYTES)


@dataclass(frozen=True)
class BenchReply:
    """Cycles of ``count`` inferences; count 0 means that the board could not count them."""

    count: int
    sum_cycles: int
    max_cycles: int
    min_cycles: int

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """Raise ProtocolError for another length."""
        return cls(*_unpack(_BENCH, payload, "BENCH"))


@dataclass(frozen=True)
class StatsReply:
    """The board's own counters since its last reset.

    ``least_free_ram_bytes`` is what the deepest stack left. The last three stop at 255: bytes that found the receive
    ring full, times that the UART itself lost bytes, bytes without a stop bit.
    """

    frames: int
    crc_errors: int
    framing_errors: int
    uptime_ms: int
    free_ram_bytes: int
    least_free_ram_bytes: int
    ring_overruns: int
    uart_overruns: int
    uart_framing_errors: int

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """Raise ProtocolError for another length."""
        return cls(*_unpack(_STATS, payload, "STATS"))


@dataclass(frozen=True)
class ErrorReply:
    """Why the board refused a request of type ``request_type``."""

    code: ErrorCode
    request_type: int

    @classmethod
    def unpack(cls, payload: bytes) -> Self:
        """Raise ProtocolError for another length or an unknown code."""
        code, request_type = _unpack(struct.Struct("<BB"), payload, "ERROR")
        try:
            return cls(ErrorCode(code), request_type)
        except ValueError as error:
            raise ProtocolError(f"ERROR with unknown code {code}") from error


def _unpack(layout: struct.Struct, payload: bytes, name: str) -> tuple[Any, ...]:
    if len(payload) != layout.size:
        raise ProtocolError(f"{name} reply of {len(payload)} bytes, expected {layout.size}")
    return layout.unpack(payload)


def _plain(value: Any) -> Any:
    """Return padded text as str, a hash as hex, numbers as they are."""
    if not isinstance(value, bytes):
        return value
    return value.hex() if len(value) == SHA256_BYTES else _text(value)


def _text(padded: bytes) -> str:
    text = padded.rstrip(b"\0")
    if not all(0x20 <= byte < 0x7F for byte in text):
        raise ProtocolError(f"text {text!r} is not printable ASCII")
    return text.decode("ascii")


def _is_scale(value: float) -> bool:
    return math.isfinite(value) and value > 0
