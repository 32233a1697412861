"""Encode frames to bytes; a reply's CRC continues from its request's."""

import zlib

from cobs import cobs

from sinehil.board.protocol.frame import CRC, HEADER, REPLY, Frame, MessageType

DELIMITER = b"\0"
STK_COMMANDS = range(0x40, 0x80)
STK_END_OF_PACKET = 0x20
STANDS_ALONE = (MessageType.IDENTIFY | REPLY, MessageType.ERROR)


def encode_frame(frame: Frame, crc_before: int = 0) -> bytes:
    """Return the frame as it goes onto the wire, with both delimiters.

    Its CRC goes on from ``crc_before``, see SentRequests; a request's goes on from nothing.
    """
    body = _body(frame)
    encoded: bytes = cobs.encode(body + CRC.pack(zlib.crc32(body, crc_before)))
    return DELIMITER + encoded + DELIMITER


def encoded_size(frame: Frame) -> int:
    """Return how many bytes the frame takes on the wire, with both delimiters: COBS adds one in 254 at least."""
    return len(encode_frame(frame))


class SentRequests:
    """What the CRC of each reply has to go on from, so that a reply to other bytes is taken for damaged.

    The last request of each sequence number counts. Replies to IDENTIFY and errors stand alone, since a host reads
    them that knows nothing of the board yet.
    """

    def __init__(self) -> None:
        self._crcs = dict[int, int]()

    def add(self, request: Frame) -> None:
        """Take note of a request that is about to be sent."""
        self._crcs[request.seq] = zlib.crc32(_body(request))

    def crc_before(self, kind: int, seq: int) -> int:
        """Return what the CRC of a frame of type ``kind`` goes on from."""
        return 0 if kind in STANDS_ALONE else self._crcs.get(seq, 0)


def is_bootloader_safe(encoded: bytes) -> bool:
    """Return whether no byte of it could be a command or an end of packet to an STK500 bootloader."""
    return not any(byte in STK_COMMANDS or byte == STK_END_OF_PACKET for byte in encoded)


def _body(frame: Frame) -> bytes:
    return HEADER.pack(frame.type, frame.seq, frame.session) + frame.payload
