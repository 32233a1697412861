"""The widest model there can be on a simulated Uno: requests four times as long as its receive ring, at full baud."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from known_engine import SOURCE, known_codes, shape_header
from uno_image import compile_for_uno

from sinehil.base.manifest import KERNEL
from sinehil.board.device import Device
from sinehil.board.protocol import Frame, MessageType, encode_frame
from sinehil.board.transport import SerialTransport
from sinehil.virtual import ControlClient, VirtualUno
from sinehil_kernels.generated import SHAPE_FILE

pytestmark = pytest.mark.board

INPUTS, OUTPUTS, SAMPLES = 64, 61, 40


@pytest.fixture(scope="module")
def flash_image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    kernel = {KERNEL: SOURCE.read_text(), SHAPE_FILE: shape_header(INPUTS, OUTPUTS)}
    return compile_for_uno(kernel, tmp_path_factory.mktemp("wide")).flash


@pytest.fixture
def uno(flash_image: Path) -> Iterator[tuple[SerialTransport, ControlClient]]:
    with VirtualUno.start(flash_image=flash_image) as uno, SerialTransport(uno.port) as transport:
        yield transport, uno.control


def random_codes() -> np.ndarray[tuple[int, ...], np.dtype[np.int8]]:
    return np.random.default_rng(3).integers(-128, 128, (SAMPLES, INPUTS)).astype(np.int8)


def test_no_byte_of_a_long_request_is_lost(uno: tuple[SerialTransport, ControlClient]) -> None:
    port, control = uno
    device = Device(port)
    device.connect()
    before = control.stats().overruns  # what the bootloader did not hear
    x_q = random_codes()
    expected = known_codes(x_q, OUTPUTS)
    assert np.array_equal(device.infer_codes(x_q), expected)
    assert np.array_equal(device.infer_floats(x_q.astype(np.float32) / 2), expected.astype(np.float32) / 4)
    for payload in (bytes(244), b"\xff" * 244, bytes(range(244))):
        assert device.echo(payload) == payload
    stats = device.stats()
    assert (stats.crc_errors, stats.framing_errors, control.stats().overruns) == (0, 0, before)
    assert (device.crc_errors, device.counters.retries) == (0, 0)


def test_bench_measures_wide_samples(uno: tuple[SerialTransport, ControlClient]) -> None:
    device = Device(uno[0])
    device.connect()
    (reply,) = device.bench_codes(random_codes()[:1])
    assert reply.count == 1 and 64 * 8 < reply.min_cycles == reply.max_cycles == reply.sum_cycles < 10_000


def test_two_long_requests_at_once_would_be_too_many(uno: tuple[SerialTransport, ControlClient]) -> None:
    """Negative control: the second one runs over the ring while the board answers the first, and that is counted."""
    port, _ = uno
    device = Device(port)
    device.connect()
    echo = Frame(MessageType.ECHO, 9, device._link.session, b"\1" * 244)
    port.write(encode_frame(echo) * 2)
    stats = device.stats()
    assert stats.crc_errors + stats.framing_errors > 0 or device.counters.retries > 0
