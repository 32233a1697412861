"""The wire protocol as pure functions and a decoder: bytes in, frames out, no I/O. See hil/PROTOCOL.md."""

from sinehil.board.protocol.decode import DropReason, FrameDecoder
from sinehil.board.protocol.encode import SentRequests, encode_frame, encoded_size, is_bootloader_safe
from sinehil.board.protocol.frame import REPLY, ErrorCode, Frame, MessageType, ProtocolError, type_name
from sinehil.board.protocol.messages import BenchReply, ErrorReply, IdentifyReply, StatsReply

__all__ = [
    "REPLY",
    "BenchReply",
    "DropReason",
    "ErrorCode",
    "ErrorReply",
    "Frame",
    "FrameDecoder",
    "IdentifyReply",
    "MessageType",
    "ProtocolError",
    "SentRequests",
    "StatsReply",
    "encode_frame",
    "encoded_size",
    "is_bootloader_safe",
    "type_name",
]
