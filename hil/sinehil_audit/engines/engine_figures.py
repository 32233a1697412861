"""Compile, flash and measure one engine after the other on the same board, and compare each with the oracles."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sinehil.arduino import ArduinoEnvironment, Firmware, compile_sketch, stage_sketch, upload
from sinehil.board.device import Device
from sinehil.board.trace import TraceSink
from sinehil.board.transport import SerialTransport
from sinehil.errors import ToolError
from sinehil.model.arrays import Codes
from sinehil.verify.board_measurements import measure_cycles
from sinehil.verify.probes import all_codes

Progress = Callable[[str, int], None]


@dataclass(frozen=True)
class EngineFigures:
    """An engine on the board; sizes are what it adds to a firmware whose engine does nothing.

    ``cycles_mean`` and ``cycles_max`` are over all 256 codes; ``equal`` counts, by oracle, the codes of 256 on which
    it gives the oracle's output.
    """

    engine: str
    what: str
    flash_bytes: int
    ram_bytes: int
    firmware_flash_bytes: int
    firmware_ram_bytes: int
    cycles_mean: float
    cycles_max: int
    equal: Mapping[str, int]


@dataclass(frozen=True)
class Engine:
    """Sources of one engine, by file name; see arduino_sketch/sinehil_engine.h."""

    name: str
    what: str
    sources: Mapping[str, str]


@dataclass(frozen=True)
class Workbench:
    """The board on ``port``, what compiles for it, and where; ``trace`` takes note of its frames."""

    environment: ArduinoEnvironment
    fqbn: str
    port: str
    build: Path
    trace: TraceSink | None = None


def measure_engines(
    bench: Workbench,
    engines: Sequence[Engine],
    nothing: Engine,
    expected: Mapping[str, Codes],
    progress: Progress,
) -> list[EngineFigures]:
    """Flash and measure each engine in turn; ``expected`` are the oracles' codes for all_codes().

    ``progress`` is called with each engine's name and how many are done.
    """
    base, port, found = _compile(bench, nothing), bench.port, list[EngineFigures]()
    for engine in engines:
        progress(engine.what, len(found))
        firmware = _compile(bench, engine)
        port = upload(bench.environment, firmware, port)
        found.append(_measure(engine, firmware, base, port, expected, bench.trace))
    return found


def _compile(bench: Workbench, engine: Engine) -> Firmware:
    folder = bench.build / "engines" / engine.name
    return compile_sketch(bench.environment, stage_sketch(engine.sources, folder), bench.fqbn, folder / "out")


def _measure(
    engine: Engine,
    firmware: Firmware,
    base: Firmware,
    port: str,
    expected: Mapping[str, Codes],
    trace: TraceSink | None,
) -> EngineFigures:
    with SerialTransport(port) as transport:
        device = Device(transport, trace=trace)
        device.connect()
        cycles = measure_cycles(device)
        codes = device.infer_codes(all_codes())
    if cycles is None:
        raise ToolError(f"the board on {port} has no cycle counter", "use another board, or a virtual Uno")
    return EngineFigures(
        engine=engine.name,
        what=engine.what,
        flash_bytes=firmware.flash_bytes - base.flash_bytes,
        ram_bytes=firmware.ram_bytes - base.ram_bytes,
        firmware_flash_bytes=firmware.flash_bytes,
        firmware_ram_bytes=firmware.ram_bytes,
        cycles_mean=cycles.mean,
        cycles_max=cycles.max,
        equal={name: int(np.count_nonzero(codes == wanted)) for name, wanted in expected.items()},
    )
