"""Ask a connected board for identity, inferences, cycles and counters. See hil/PROTOCOL.md."""

import secrets
from collections.abc import Iterator
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from sinehil.board import protocol
from sinehil.board.exchange import Exchange, Progress
from sinehil.board.link import Choose, Link, LinkCounters
from sinehil.board.protocol import Frame, MessageType
from sinehil.board.protocol.frame import FLOAT_BYTES
from sinehil.board.trace import TraceSink
from sinehil.board.transport import Transport
from sinehil.errors import IdentityError
from sinehil.model.arrays import Codes, Float32s

HANDSHAKE_S = 5.0  # bootloader second, start-up and a slow host together

Value = TypeVar("Value", bound=np.generic)


class Device:
    """A board and the shape of its model; ``connect`` comes first.

    ``choose`` draws the bytes of session numbers, ``trace`` takes note of every frame.
    """

    def __init__(
        self, transport: Transport, choose: Choose = secrets.choice, trace: TraceSink | None = None
    ) -> None:
        self._link = Link(transport, choose, trace)
        self._limits: protocol.IdentifyReply | None = None

    @property
    def counters(self) -> LinkCounters:
        """What the link cost so far."""
        return self._link.counters

    @property
    def crc_errors(self) -> int:
        """Damaged frames received so far."""
        return self._link.crc_errors

    @property
    def port(self) -> str:
        """The port's name."""
        return self._link.port

    @property
    def clock_hz(self) -> int:
        """The board's CPU clock, as it says."""
        return self._connected().clock_hz

    @property
    def inputs(self) -> int:
        """How many values a sample of the board's model takes."""
        return self._connected().inputs

    @property
    def outputs(self) -> int:
        """How many values a sample of the board's model gives."""
        return self._connected().outputs

    @property
    def input_zero_point(self) -> int:
        """The code that stands for 0 at the board's inputs."""
        return self._connected().input_zero_point

    def connect(self, timeout_s: float = HANDSHAKE_S) -> protocol.IdentifyReply:
        """Wait until the sketch answers IDENTIFY and open a session.

        Raises LinkError if nothing answers, IdentityError if something else does.
        """
        self._limits = self._link.open(timeout_s)
        return self._limits

    def identify(self) -> protocol.IdentifyReply:
        """Ask a connected board again who it is; it computes its weight checksum anew."""
        self._connected()
        return self._link.identify_again()

    def echo(self, payload: bytes) -> bytes:
        """Return what the board sends back for ``payload``."""
        return self._ask(MessageType.ECHO, [payload])[0]

    def infer_floats(self, x: Float32s, progress: Progress | None = None) -> Float32s:
        """Return the board's y for ``x``, float32, NaN payloads included.

        x is [n] for a model with one input, else [n, inputs]; y likewise [n] or [n, outputs]. ``progress`` is called
        with how many samples more are done.
        """
        data = self._infer(MessageType.INFER_F32, x.astype("<f4").tobytes(), FLOAT_BYTES, progress)
        return self._shaped(np.frombuffer(data, dtype="<f4").astype(np.float32))

    def infer_codes(self, x_q: Codes, progress: Progress | None = None) -> Codes:
        """Return the board's output codes for the input codes, int8; shapes and ``progress`` as for infer_floats."""
        return self._shaped(
            np.frombuffer(self._infer(MessageType.INFER_I8, x_q.tobytes(), 1, progress), dtype=np.int8)
        )

    def bench(self, first_q: int, count: int) -> protocol.BenchReply:
        """Return the cycles of ``count`` inferences of a one-input model for codes from ``first_q`` on."""
        return self._bench(
            MessageType.BENCH, first_q.to_bytes(1, "little", signed=True) + bytes([count]), count
        )

    def bench_codes(self, x_q: Codes) -> Iterator[protocol.BenchReply]:
        """Yield the cycles of the inferences for codes [n, inputs] of a model with several inputs, a few at a time."""
        for chunk in self._chunks(x_q.tobytes(), 1, alone=True):
            yield self._bench(MessageType.BENCH_I8, chunk, len(chunk) // self.inputs)

    def stats(self) -> protocol.StatsReply:
        """Return the board's own counters."""
        return self._link.understood(protocol.StatsReply.unpack, self._ask(MessageType.STATS, [b""])[0])

    def _infer(self, kind: MessageType, data: bytes, value_bytes: int, progress: Progress | None) -> bytes:
        """Return the outputs of all samples in ``data``."""
        limits = self._connected()
        chunks = self._chunks(data, value_bytes)
        sample_bytes, reply_bytes = limits.inputs * value_bytes, limits.outputs * value_bytes
        done = None if progress is None else lambda at: progress(len(chunks[at]) // sample_bytes)
        replies = self._ask(kind, chunks, done)
        if [len(chunk) // sample_bytes * reply_bytes for chunk in chunks] != [len(item) for item in replies]:
            raise self._miscounted()
        return b"".join(replies)

    def _shaped(self, values: NDArray[Value]) -> NDArray[Value]:
        outputs = self._connected().outputs
        return values if outputs == 1 else values.reshape(-1, outputs)

    def _bench(self, kind: MessageType, payload: bytes, count: int) -> protocol.BenchReply:
        reply = self._link.understood(protocol.BenchReply.unpack, self._ask(kind, [payload])[0])
        if reply.count not in (0, count):
            raise self._miscounted()
        return reply

    def _chunks(self, data: bytes, value_bytes: int, alone: bool = False) -> list[bytes]:
        """Cut samples into payloads: small enough for two to share the board's window, else as large as can be."""
        limits = self._connected()
        sample_bytes, reply_bytes = limits.inputs * value_bytes, limits.outputs * value_bytes
        overhead = len(protocol.encode_frame(Frame(MessageType.INFER_F32, 0, 0, b"")))
        half = limits.window_bytes // 2 - overhead
        room = half if sample_bytes <= half and not alone else limits.max_payload
        count = min(room // sample_bytes, limits.max_reply_payload // reply_bytes)
        size = count * sample_bytes
        return [data[start : start + size] for start in range(0, len(data), size)]

    def _miscounted(self) -> IdentityError:
        return IdentityError(
            f"the board on {self.port} answers with another number of values than it was asked for",
            "its firmware is of another version: run `sinehil flash`",
        )

    def _connected(self) -> protocol.IdentifyReply:
        if self._limits is None:
            raise AssertionError("connect() comes first")
        return self._limits

    def _ask(self, kind: MessageType, payloads: list[bytes], progress: Progress | None = None) -> list[bytes]:
        self._connected()
        return Exchange(self._link, kind, payloads, progress).run()
