"""The firmware, compiled for the Uno with an engine whose cycles and answers are known, on a virtual board."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from sinehil.arduino import Firmware, compile_sketch, prepare_environment, stage_sketch
from sinehil.deadline import Deadline
from sinehil.device import Device
from sinehil.protocol import BenchReply
from sinehil.transport import SerialTransport
from sinehil.virtual import VirtualUno

pytestmark = pytest.mark.board

LOOPS = 16_374  # of four cycles each: around 2 ** 16 cycles, where Timer1 overflows
ENGINE = f"#define SINEHIL_DELAY_LOOPS {LOOPS}\n" + (Path(__file__).parent / "known_engine.c").read_text()
CODES = np.arange(-128, 128).astype(np.int8)


@pytest.fixture(scope="module")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Firmware:
    folder = tmp_path_factory.mktemp("uno")
    sketch = stage_sketch(ENGINE, folder)
    return compile_sketch(prepare_environment(lambda _: None), sketch, "arduino:avr:uno", folder / "build")


@pytest.fixture(scope="module")
def flash_image(firmware: Firmware) -> Path:
    """The whole flash as avrdude would leave it behind, without its three seconds."""
    image = firmware.hex.with_suffix(".bin")
    whole = ["--gap-fill", "0xff", "--pad-to", "0x8000"]
    subprocess.run(["avr-objcopy", "-I", "ihex", "-O", "binary", *whole, firmware.hex, image], check=True)
    return image


@pytest.fixture
def port(flash_image: Path) -> Iterator[SerialTransport]:
    with VirtualUno.start(flash_image=flash_image) as uno, SerialTransport(uno.port) as transport:
        yield transport


def test_everything_but_the_model_is_small(firmware: Firmware) -> None:
    assert firmware.flash_bytes <= 7_000
    assert firmware.ram_bytes <= 500


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


def test_cycles_are_exact_across_the_timers_overflow(port: SerialTransport) -> None:
    device = Device(port)
    device.connect()
    replies = [device.bench(first_q, 16) for first_q in range(-128, 128, 16)]
    least = replies[0].min_cycles
    for index, reply in enumerate(replies):
        first = least + 4 * 16 * index
        assert reply == BenchReply(16, 16 * first + 4 * sum(range(16)), first + 4 * 15, first)
    assert replies[0].min_cycles < 2**16 - 100 and replies[-1].max_cycles > 2**16 + 100
