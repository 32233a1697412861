"""The firmware, compiled for the Uno with an engine whose cycles and answers are known, on a virtual board."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from uno_image import UnoImage, compile_for_uno

from sinehil.base.deadline import Deadline
from sinehil.base.manifest import KERNEL
from sinehil.board.device import Device
from sinehil.board.protocol import BenchReply
from sinehil.board.transport import SerialTransport
from sinehil.virtual import VirtualUno

pytestmark = pytest.mark.board

LOOPS = 16_374  # of four cycles each: around 2 ** 16 cycles, where Timer1 overflows
ENGINE = f"#define SINEHIL_DELAY_LOOPS {LOOPS}\n" + (Path(__file__).parent / "known_engine.c").read_text()
CODES = np.arange(-128, 128).astype(np.int8)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> UnoImage:
    return compile_for_uno({KERNEL: ENGINE}, tmp_path_factory.mktemp("uno"))


@pytest.fixture
def port(image: UnoImage) -> Iterator[SerialTransport]:
    with VirtualUno.start(flash_image=image.flash) as uno, SerialTransport(uno.port) as transport:
        yield transport


def test_everything_but_the_model_is_small(image: UnoImage) -> None:
    assert image.firmware.flash_bytes <= 5_100
    assert image.firmware.ram_bytes <= 400


def read_until(port: SerialTransport, wanted: int) -> bytes:
    text, deadline = b"", Deadline.after(20)
    while text.count(b"\n") < wanted and not deadline.expired:
        text += port.read(deadline.remaining_s)
    return text


def test_until_a_host_speaks_it_plots_the_engines_curve(port: SerialTransport) -> None:
    lines = read_until(port, 5).split(b"\r\n")[:-1]
    for line in lines:
        found = re.fullmatch(rb"x:(\d\.\d{3}),y:(-?\d+\.\d{3})", line)
        assert found is not None, line
        x, y = float(found[1]), float(found[2])
        assert y in {(int(2 * x + slack) ^ 0x55) / 4 for slack in (-0.001, 0.001)}  # x is rounded here
    assert float(lines[1][2:7]) == pytest.approx(2 * np.pi / 200, abs=5e-4)


def test_a_host_stops_the_demo(port: SerialTransport) -> None:
    read_until(port, 3)
    device = Device(port)
    device.connect()
    received = device.counters.bytes_received
    assert device.echo(b"\0quiet\0") == b"\0quiet\0"
    assert device.counters.bytes_received - received == 2 + 1 + 10 + 7
    assert (device.infer_codes(CODES) == (CODES ^ 0x55)).all()


def test_a_full_window_right_after_the_demo_loses_nothing(port: SerialTransport) -> None:
    read_until(port, 3)
    device = Device(port)
    device.connect()
    before = device.stats()
    payloads = [bytes([at]) * 50 for at in range(40)]
    assert [device.echo(payload) for payload in payloads] == payloads
    assert (device.infer_codes(np.tile(CODES, 4)) == np.tile(CODES ^ 0x55, 4)).all()
    after = device.stats()
    assert (after.crc_errors, after.framing_errors) == (before.crc_errors, before.framing_errors)
    assert device.counters.retries == 0


def test_cycles_are_exact_across_the_timers_overflow(port: SerialTransport) -> None:
    device = Device(port)
    device.connect()
    replies = [device.bench(first_q, 16) for first_q in range(-128, 128, 16)]
    least = replies[0].min_cycles
    for index, reply in enumerate(replies):
        first = least + 4 * 16 * index
        assert reply == BenchReply(16, 16 * first + 4 * sum(range(16)), first + 4 * 15, first)
    assert replies[0].min_cycles < 2**16 - 100 and replies[-1].max_cycles > 2**16 + 100
