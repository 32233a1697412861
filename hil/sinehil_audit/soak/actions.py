"""Flash, verify, reset and stream: the actions of a soak; each opens the port, does its work and closes it."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from sinehil.arduino import ArduinoEnvironment, Firmware, upload
from sinehil.base.console import Console
from sinehil.board.device import Device
from sinehil.board.trace import TraceFile
from sinehil.board.transport import SerialTransport
from sinehil.errors import ExitCode, SinehilError
from sinehil.jobs import firmware
from sinehil.jobs import verification as steps
from sinehil.jobs.selection import Selection
from sinehil.model.interpreters import Oracle
from sinehil.model.targets import NO_MANIFEST
from sinehil.verify import Mode, Verdict
from sinehil.verify.board_measurements import read_counters
from sinehil.verify.comparison import Expected, Inputs, check_identity, verify

STREAMED = 100


class WrongValueError(SinehilError):
    """The board gave another value than the interpreter, or came back as another one."""

    exit_code = ExitCode.FAIL


@dataclass(frozen=True)
class SoakBench:
    """What an action needs beside the port and the interpreter; it can be sent to another process."""

    environment: ArduinoEnvironment
    firmware: Firmware
    expected: Expected
    inputs: Inputs
    trace: TraceFile | None = None


@dataclass(frozen=True)
class ActionCost:
    """What an action cost; ``round_trips_ms`` only where each request was timed.

    The last two are the board's own counters since its reset, None where it was not asked.
    """

    frames: int = 0
    retries: int = 0
    crc_errors: int = 0
    compared: int = 0
    round_trips_ms: tuple[float, ...] = ()
    least_free_ram_bytes: int | None = None
    overruns: int | None = None


Action = Callable[[SoakBench, Oracle, str, np.random.Generator], ActionCost]


def stream(bench: SoakBench, oracle: Oracle, port: str, rng: np.random.Generator) -> ActionCost:
    """Send random samples of the verification's inputs one at a time; time each round trip."""
    x = rng.choice(bench.inputs.x, STREAMED)
    wanted = oracle.predict(x)
    trips_ms = []
    with SerialTransport(port) as transport:
        device = Device(transport, trace=bench.trace)
        check_identity(device.connect(), bench.expected, port)
        for index in range(STREAMED):
            started = time.perf_counter()
            y = device.infer_floats(x[index : index + 1])
            trips_ms.append(round(1e3 * (time.perf_counter() - started), 3))
            if y.tobytes() != wanted[index : index + 1].tobytes():
                raise WrongValueError(f"the board on {port} gave {y[0]} for {x[index]}, not {wanted[index]}")
        return _done(device, STREAMED, tuple(trips_ms))


def reset(bench: SoakBench, _oracle: Oracle, port: str, _rng: np.random.Generator) -> ActionCost:
    """Open a session, reset the board by opening the port again, and open another."""
    with SerialTransport(port) as transport:
        device = Device(transport, trace=bench.trace)
        device.connect()
        transport.reopen()
        check_identity(device.connect(), bench.expected, port)
        return _done(device, 0)


def verify_all(bench: SoakBench, oracle: Oracle, port: str, _rng: np.random.Generator) -> ActionCost:
    """Hold the board against the interpreter on everything that decides it."""
    with SerialTransport(port) as transport:
        device = Device(transport, trace=bench.trace)
        result = verify(device, bench.expected, oracle, bench.inputs)
        if result.verdict is not Verdict.PASS:
            raise WrongValueError(f"{result.mismatches} of {result.compared} outputs of {port} differ")
        return _done(device, result.compared)


def flash(bench: SoakBench, _oracle: Oracle, port: str, _rng: np.random.Generator) -> ActionCost:
    """Write the image through the bootloader and read it back."""
    now = upload(bench.environment, bench.firmware, port)
    if now != port:
        raise WrongValueError(f"the board on {port} came back on {now}")
    return ActionCost()


def _done(device: Device, compared: int, trips_ms: tuple[float, ...] = ()) -> ActionCost:
    counted, link = read_counters(device), device.counters
    return ActionCost(
        frames=link.frames,
        retries=link.retries,
        crc_errors=device.crc_errors,
        compared=compared,
        round_trips_ms=trips_ms,
        least_free_ram_bytes=counted.least_free_ram_bytes,
        overruns=counted.overruns,
    )


ACTIONS: dict[str, Action] = {"flash": flash, "verify": verify_all, "reset": reset, "stream": stream}


def actions(rng: np.random.Generator, flash_once_in: int) -> Iterator[str]:
    """Yield kinds of action without end: a flash and then others, each of which comes once before one comes again."""
    others = _others(rng)
    while True:
        yield "flash"
        yield from islice(others, flash_once_in - 1)


def _others(rng: np.random.Generator) -> Iterator[str]:
    while True:
        yield from rng.permutation([name for name in ACTIONS if name != "flash"]).tolist()


def make_soak_bench(console: Console, selection: Selection, seed: int, trace: TraceFile | None) -> SoakBench:
    """Compile the firmware and return what every board's process needs, all of it fit to be sent there."""
    built = firmware.compile_firmware(console, selection)
    inputs = steps.probe_inputs(selection, Mode.EXHAUSTIVE, None, seed)
    expected = Expected(
        selection.model, selection.oracle, {built.kernel.engine: built.kernel.weights_crc32}.get
    )
    return SoakBench(built.environment, built.firmware, expected, replace(inputs, aim=NO_MANIFEST), trace)
