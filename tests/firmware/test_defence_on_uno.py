"""The board defends itself, on a simulated Uno: against kernels that hang, floods, and stacks that grow."""

import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from known_engine import SOURCE, shape_header
from line_noise import FLOODS, answer_time_s, flood
from uno_image import compile_for_uno

from sinehil.base.manifest import KERNEL
from sinehil.board import link as link_module
from sinehil.board.device import Device
from sinehil.board.protocol import Frame, MessageType, encode_frame
from sinehil.board.transport import SerialTransport
from sinehil.errors import ExitCode, LinkError
from sinehil.virtual import VirtualUno
from sinehil_kernels.generated import SHAPE_FILE

pytestmark = pytest.mark.board

SKETCH = Path(__file__).parents[2] / "arduino_sketch"
CPU_HZ = 16_000_000
HANGING, ANSWER = 77, 77 ^ 0x55
HANGS_S, STARTS_S = 1.0, 0.05
ENOUGH_BYTES = 256  # of RAM, free at the deepest
CODES = np.arange(-128, 128).astype(np.int8)
FIRST_LINE = "  uint8_t all = 0x55;\n"

Start = Callable[..., tuple[SerialTransport, VirtualUno]]


def engine(first_lines: str) -> str:
    """Return the known engine with C that runs at the start of each inference."""
    text = SOURCE.read_text()
    assert text.count(FIRST_LINE) == 1
    return text.replace(FIRST_LINE, FIRST_LINE + first_lines)


def changed(name: str, pattern: str, replacement: str) -> dict[str, str]:
    """Return a file of the sketch with one change."""
    text, times = re.subn(pattern, replacement, (SKETCH / name).read_text())
    assert times == 1, (name, pattern)
    return {name: text}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_for_uno({KERNEL: SOURCE.read_text()}, tmp_path_factory.mktemp("plain")).flash


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Return a function that starts a virtual Uno with these files in its sketch, its port open."""
    running: list[tuple[SerialTransport, VirtualUno]] = []

    def run(files: dict[str, str]) -> tuple[SerialTransport, VirtualUno]:
        folder = tmp_path / str(len(running))
        folder.mkdir()
        uno = VirtualUno.start(flash_image=compile_for_uno(files, folder).flash)
        running.append((SerialTransport(uno.port), uno))
        return running[-1]

    yield run
    for port, uno in running:
        port.close()
        uno.stop()


HANGS = f'  if (x_q[0] == {HANGING}) {{ GPIOR0 = 1; for (;;) __asm__ volatile(""); }}\n'
HANGING_ENGINE = engine(HANGS).replace(
    '#include "sinehil_engine.h"', '#include "sinehil_engine.h"\n#include <avr/io.h>'
)
MARKED_START = changed("arduino_sketch.ino", r"(demo_setup\(\);)", r"\1\n  GPIOR0 = 2;")


def ask_to_infer(device: Device) -> None:
    device.infer_codes(np.array([HANGING], np.int8))


def ask_to_bench(device: Device) -> None:
    device.bench(HANGING, 1)  # with interrupts off


@pytest.mark.parametrize("ask", [ask_to_infer, ask_to_bench])
def test_a_kernel_that_hangs_costs_the_run_and_not_the_board(
    ask: Callable[[Device], None], start: Start
) -> None:
    port, uno = start({KERNEL: HANGING_ENGINE, **MARKED_START})
    device = Device(port)
    device.connect()
    before = uno.control.stats()
    with pytest.raises(LinkError, match="was reset in the middle of the run") as caught:
        ask(device)
    assert caught.value.exit_code == ExitCode.LINK
    after = uno.control.stats()
    assert (after.watchdog_resets, after.resets) == (before.watchdog_resets + 1, before.resets)
    assert after.mark_value == 2 and HANGS_S < after.mark_span / CPU_HZ < HANGS_S + STARTS_S
    device.connect()
    rest = CODES[CODES != HANGING]
    assert np.array_equal(device.infer_codes(rest), rest ^ 0x55)


def test_without_its_watchdog_it_would_hang_for_ever(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control."""
    monkeypatch.setattr(link_module, "REPLY_TIMEOUT_S", 0.4)
    port, _ = start(
        {KERNEL: HANGING_ENGINE, **changed("guard_arduino.cpp", r"  wdt_enable\(WDTO_1S\);\n", "")}
    )
    device = Device(port)
    device.connect()
    with pytest.raises(LinkError, match="stopped answering"):
        ask_to_infer(device)


def test_what_takes_longer_than_the_watchdog_in_all_is_no_hang(start: Start) -> None:
    """64 codes of 30 ms: two seconds, interrupts off: pings are lost meanwhile, the reply counts though late."""
    delay = "#define SINEHIL_DELAY_LOOPS 60000\n"
    text = SOURCE.read_text().replace("_delay_loop_2((", "for (uint8_t n = 0; n < 2; ++n) _delay_loop_2((")
    port, uno = start({KERNEL: delay + text})
    device = Device(port)
    device.connect()
    before = uno.control.stats().watchdog_resets
    assert device.bench(-32, 64).count == 64
    assert uno.control.stats().watchdog_resets == before


@pytest.mark.parametrize("kind", FLOODS)
def test_after_a_flood_it_answers_at_once(kind: str, plain: Path, request: pytest.FixtureRequest) -> None:
    """For the whole minute: ``--flood-seconds 60 --log-cli-level INFO``."""
    with VirtualUno.start(flash_image=plain) as uno, SerialTransport(uno.port) as port:
        answers_after_flood(kind, port, uno, request.config.getoption("--flood-seconds"))


def answers_after_flood(
    kind: str, port: SerialTransport, uno: VirtualUno, seconds: float
) -> dict[str, float]:
    device = Device(port)
    device.connect()
    before = uno.control.stats()
    flood(port, uno.control, FLOODS[kind](device._link.session), seconds)
    answered_s = answer_time_s(port, uno.control, device._link.session)
    assert answered_s < 0.1
    stats = device.stats()
    after = uno.control.stats()
    assert (after.watchdog_resets, after.crashes) == (before.watchdog_resets, before.crashes)
    assert stats.least_free_ram_bytes >= ENOUGH_BYTES
    assert np.array_equal(device.infer_codes(CODES), CODES ^ 0x55)
    sent = after.received - before.received
    logging.getLogger(__name__).info(
        "%s: %d bytes, answer in %.2f ms, %s", kind, sent, 1000 * answered_s, stats
    )


def test_bytes_that_find_the_ring_full_or_the_uart_unread_are_counted(start: Start) -> None:
    wide = {KERNEL: SOURCE.read_text(), SHAPE_FILE: shape_header(64, 61)}
    port, _ = start({**wide})
    device = Device(port)
    device.connect()
    clean = device.stats()
    assert clean.ring_overruns == clean.uart_framing_errors == 0
    port.write(encode_frame(Frame(MessageType.ECHO, 9, device._link.session, b"\1" * 244)) * 3)
    ring = device.stats()
    assert ring.ring_overruns > 0 and ring.uart_overruns == clean.uart_overruns
    slow, _ = start({KERNEL: "#define SINEHIL_DELAY_LOOPS 60000\n" + SOURCE.read_text()})
    deaf = Device(slow)
    deaf.connect()
    before = deaf.stats()
    slow.write(encode_frame(Frame(MessageType.BENCH, 9, deaf._link.session, b"\0\1")) + bytes(40))
    assert deaf.stats().uart_overruns > before.uart_overruns


def deepest(device: Device) -> int:
    """Return the least free RAM after every command at its largest, replies and requests crossing."""
    rng = np.random.default_rng(7)
    x_q = rng.integers(-128, 128, (40, device.inputs)).astype(np.int8)
    flat = x_q if device.inputs > 1 else x_q[:, 0]
    device.infer_codes(flat)
    device.infer_floats(flat.astype(np.float32))
    device.echo(bytes(range(50)))
    if device.inputs == 1:
        device.bench(-128, 64)
    else:
        list(device.bench_codes(x_q[:4]))
    device.identify()
    device._link._transport.write(b"\5" * 600)  # the ring full, interrupts without a pause
    device.stats()
    return device.stats().least_free_ram_bytes


def least_free(start: Start, files: dict[str, str]) -> int:
    device = Device(start(files)[0])
    device.connect()
    return deepest(device)


def test_the_deepest_stack_leaves_enough_and_is_seen_to_the_byte(start: Start) -> None:
    """The negative control is an engine that takes more of the stack: the mark sinks by just that."""
    shape = {SHAPE_FILE: shape_header(64, 61)}
    eats = "  volatile uint8_t eaten[{}]; eaten[0] = 0xAA; (void)eaten;\n"
    little, much = (least_free(start, {**shape, KERNEL: engine(eats.format(n))}) for n in (300, 1000))
    assert little - much == 700
    assert much < ENOUGH_BYTES < least_free(start, {**shape, KERNEL: SOURCE.read_text()})


MARKED_COMMANDS = {
    name: "#include <avr/io.h>\n"
    + text.replace("  if (length < 0) {\n", "  GPIOR0 = 2;\n  if (length < 0) {\n", 1)
    for name, text in changed(
        "commands.cpp", r"(  const int16_t length = header.session)", r"  GPIOR0 = 1;\n\1"
    ).items()
}
MOST_CYCLES = 32_000  # 2 ms, without the time that an engine needs


def test_each_command_takes_a_bounded_time(start: Start) -> None:
    port, uno = start({KERNEL: SOURCE.read_text(), **MARKED_COMMANDS})
    device = Device(port)
    device.connect()
    payloads = {
        MessageType.IDENTIFY: b"",
        MessageType.ECHO: bytes(50),
        MessageType.INFER_F32: bytes(48),
        MessageType.INFER_I8: bytes(50),
        MessageType.BENCH: b"\0\x40",
        MessageType.STATS: b"",
    }
    cycles = {}
    for kind, payload in payloads.items():
        device._ask(kind, [payload])
        stats = uno.control.stats()
        assert stats.mark_value == 2
        cycles[kind.name] = stats.mark_span
    logging.getLogger(__name__).info("cycles: %s", cycles)
    assert min(cycles.values()) > 0 and max(cycles.values()) < MOST_CYCLES
