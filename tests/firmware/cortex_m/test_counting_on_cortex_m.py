"""SysTick against QEMU's own count: loops of known length are measured to the instruction, or not at all."""

import re
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from arm_board import CLOCK_HZ, CXX_FLAGS, CYCLES_PER_INSTRUCTION, FLAGS, HERE, boot, compile_for_cortex_m

from sinehil.base.deadline import Deadline
from sinehil.base.manifest import KERNEL
from sinehil.board.transport import SerialTransport

SKETCH = HERE.parents[2] / "arduino_sketch"
PROBE = {
    KERNEL: (HERE.parent / "known_engine.c").read_text(),
    "arduino_sketch.ino": (HERE / "probe.ino").read_text(),
}
PERIOD = 2**24  # of SysTick in cycles, the longest there is
SHORT_PERIOD = PERIOD - 2**18  # in the first of the two calls
SYSTICK_AS_THE_CORE_HAS_IT = (7, CLOCK_HZ // 1000 - 1)


@dataclass(frozen=True)
class Answer:
    """What probe.ino tells."""

    cycles: int
    primask: int
    control: int
    reload: int
    ms_of_20: int


@pytest.fixture(scope="module", params=["cortex-m0", "cortex-m3"])
def port(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SerialTransport]:
    image = compile_for_cortex_m(request.param, PROBE, tmp_path_factory.mktemp(request.param))
    with start(image) as transport:
        yield transport


@contextmanager
def start(image: Path) -> Iterator[SerialTransport]:
    with boot(image) as name, SerialTransport(name) as port:
        assert port.read(60) == b"!"
        yield port


def ask(port: SerialTransport, loops: int, masked: int = 0) -> Answer:
    port.write(struct.pack("<II", loops, masked))
    reply, deadline = b"", Deadline.after(60)
    while len(reply) < 20 and not deadline.expired:
        reply += port.read(deadline.remaining_s)
    return Answer(*struct.unpack("<5I", reply))


def cycles_of(loops: int) -> float:
    return (5 + 2 * loops) * CYCLES_PER_INSTRUCTION


def loops_of(cycles: int) -> int:
    """Return about how many loops take so long."""
    return round(cycles / CYCLES_PER_INSTRUCTION / 2)


def faults(answer: Answer, loops: int, masked: int = 0) -> set[str]:
    """Return what is wrong with an answer. The counter is read twice, each time rounded down."""
    expected = {
        "cycles": abs(answer.cycles - cycles_of(loops)) < 2,
        "interrupts": answer.primask == masked,
        "systick": (answer.control, answer.reload) == SYSTICK_AS_THE_CORE_HAS_IT,
        "millis": abs(answer.ms_of_20 - 20) <= 1,
    }
    return {what for what, right in expected.items() if not right}


@pytest.mark.parametrize("masked", [0, 1])
def test_the_count_is_exact_and_leaves_the_board_as_it_was(port: SerialTransport, masked: int) -> None:
    for loops in (*range(1, 33), 1_000, 12_345, 100_000):
        assert faults(ask(port, loops, masked), loops, masked) == set()


@pytest.mark.parametrize("around", [SHORT_PERIOD, PERIOD, 2 * SHORT_PERIOD])
def test_the_count_is_exact_where_the_timer_wraps(port: SerialTransport, around: int) -> None:
    middle = loops_of(around)
    for loops in range(middle - 6, middle + 7):
        assert faults(ask(port, loops), loops) == set()


def test_beyond_two_periods_no_count_is_given_rather_than_a_small_one(port: SerialTransport) -> None:
    middle = loops_of(2 * PERIOD)
    assert faults(ask(port, middle - 20), middle - 20) == set()
    for loops in range(middle - 6, middle + 7):
        answer = ask(port, loops)
        assert answer.cycles == 0 or faults(answer, loops) == set()
    for periods in (2.01, 3, 20, 61):
        answer = ask(port, loops_of(int(periods * PERIOD)))
        assert answer.cycles == 0 and faults(answer, 0) <= {"cycles"}


def test_another_architecture_has_no_counter() -> None:
    """ARM7TDMI, for instance: the function returns 0."""
    compiler = ["arm-none-eabi-g++", "-mcpu=arm7tdmi", *FLAGS, "-marm", f"-I{SKETCH}", *CXX_FLAGS]
    command = [*compiler, "-S", "-o", "-", SKETCH / "cycles_arduino.cpp"]
    assembly = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    instructions = re.findall(r"^\t(\w.*)$", assembly, re.MULTILINE)
    assert [" ".join(line.split()) for line in instructions] == ["mov r0, #0", "bx lr"]


@pytest.mark.parametrize(
    ("pattern", "replacement", "cycles", "masked", "fault"),
    [
        (r" - cycles\(kLong, nothing,", " - 0 * cycles(kLong, nothing,", 1_000, 0, "cycles"),
        (r"const uint32_t wraps = [^;]*;", "const uint32_t wraps = 0 * cold;", PERIOD * 5 // 4, 0, "cycles"),
        (r" % kShort / kStep;", " % kShort / kStep & 1;", PERIOD * 9 // 4, 0, "cycles"),
        (r"\\n\\tcpsid i", "", 1_000, 0, "cycles"),
        (r"  timer->control = control;\n", "(void)control;", 1_000, 0, "millis"),
        (r"  timer->reload = reload;\n", "(void)reload;", 1_000, 0, "millis"),
        (r"msr primask, %0\"", r'cpsie i"', 1_000, 1, "interrupts"),
        (r"  __asm__ volatile\(\"msr [^;]*;\n", "(void)masked;", 1_000, 0, "interrupts"),
    ],
)
def test_what_the_sketch_might_get_wrong_is_noticed(
    pattern: str, replacement: str, cycles: int, masked: int, fault: str, tmp_path: Path
) -> None:
    """Negative controls: the same loop on a sketch with one change."""
    name, loops = "cycles_arduino.cpp", loops_of(cycles)
    text, times = re.subn(pattern, replacement, (SKETCH / name).read_text())
    assert times == 1
    image = compile_for_cortex_m("cortex-m3", {**PROBE, name: text}, tmp_path)
    with start(image) as port:
        answer = ask(port, loops, masked)
    assert answer.cycles != 0 and fault in faults(answer, loops, masked)
