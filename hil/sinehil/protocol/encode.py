"""Frames to bytes."""

import zlib

from cobs import cobs

from sinehil.protocol.frame import CRC, HEADER, Frame

DELIMITER = b"\0"
STK_COMMANDS = range(0x40, 0x80)
STK_END_OF_PACKET = 0x20


def encode_frame(frame: Frame) -> bytes:
    """Return the frame as it goes onto the wire, with both delimiters."""
    body = HEADER.pack(frame.type, frame.seq, frame.session) + frame.payload
    encoded: bytes = cobs.encode(body + CRC.pack(zlib.crc32(body)))
    return DELIMITER + encoded + DELIMITER


def is_bootloader_safe(encoded: bytes) -> bool:
    """Return whether no byte of it could be a command or an end of packet to an STK500 bootloader."""
    return not any(byte in STK_COMMANDS or byte == STK_END_OF_PACKET for byte in encoded)
