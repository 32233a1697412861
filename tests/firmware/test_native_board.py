"""Boards in this process: the real command handler behind the real host code, without a line."""

import numpy as np
import pytest
from models import with_source
from nets import variety

from sinehil.board.protocol import FrameDecoder, IdentifyReply, MessageType, SentRequests, encode_frame
from sinehil.board.protocol.frame import Frame
from sinehil.model.interpreters import open_oracle
from sinehil.model.tflite import QuantizedModel
from sinehil.native import NativeBoard, NativeFirmware
from sinehil.verify.probes import all_codes
from sinehil_kernels import generate_kernel

CODES = 48  # in a request


@pytest.fixture(scope="module")
def model() -> QuantizedModel:
    return variety()["plain 4"].model()


@pytest.fixture(scope="module")
def firmware(model: QuantizedModel) -> NativeFirmware:
    return NativeFirmware.compile(generate_kernel(model).sources)


def ask(board: NativeBoard, *requests: Frame) -> list[Frame]:
    sent = SentRequests()
    for request in requests:
        sent.add(request)
    decoder = FrameDecoder(sent.crc_before)
    replies = board.feed(b"".join(map(encode_frame, requests)))
    return [frame for reply in replies for frame in decoder.feed(reply)]


def answers(board: NativeBoard) -> np.ndarray:
    """Return the board's codes for all 256."""
    codes = all_codes()
    parts = [codes[at : at + CODES].tobytes() for at in range(0, 256, CODES)]
    replies = ask(board, *(Frame(MessageType.INFER_I8, at, 7, part) for at, part in enumerate(parts)))
    return np.frombuffer(b"".join(reply.payload for reply in replies), np.int8)


def test_a_board_identifies_itself_and_infers(firmware: NativeFirmware, model: QuantizedModel) -> None:
    board = firmware.board()
    [reply] = ask(board, Frame(MessageType.IDENTIFY, 1, 7, b""))
    identity = IdentifyReply.unpack(reply.payload)
    assert (identity.board, identity.model_sha256) == ("native", model.sha256)
    assert np.array_equal(answers(board), open_oracle("litert", model).predict_codes(all_codes()))


def test_boards_of_one_firmware_are_apart_and_a_reset_forgets_the_session(firmware: NativeFirmware) -> None:
    first, second = firmware.board(), firmware.board()
    [reply] = ask(first, Frame(MessageType.IDENTIFY, 1, 7, b""))
    life = IdentifyReply.unpack(reply.payload).life
    assert len(answers(first)) == 256
    assert set(answers(second).tolist()) == {3, int(MessageType.INFER_I8)}  # BAD_SESSION, of which request
    first.feed(b"\0\x05half")
    first.reset()
    [reply] = ask(first, Frame(MessageType.IDENTIFY, 1, 7, b""))
    assert IdentifyReply.unpack(reply.payload).life != life, "even in the session of before"
    [again] = ask(first, Frame(MessageType.IDENTIFY, 1, 9, b""))
    assert IdentifyReply.unpack(again.payload).life == IdentifyReply.unpack(reply.payload).life


def test_two_firmwares_are_not_taken_for_each_other(firmware: NativeFirmware, model: QuantizedModel) -> None:
    kernel = generate_kernel(model)
    other = NativeFirmware.compile(
        with_source(kernel, kernel.source.replace("0x" + model.sha256[:2], "0x00", 1)).sources
    )
    shas = [
        IdentifyReply.unpack(ask(board, Frame(MessageType.IDENTIFY, 1, 7, b""))[0].payload).model_sha256
        for board in (firmware.board(), other.board())
    ]
    assert shas[0] == model.sha256 != shas[1]
