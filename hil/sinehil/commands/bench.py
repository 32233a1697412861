"""``sinehil bench``: what an inference and a value on the wire cost."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import typer

from sinehil.commands import options
from sinehil.console import Console

if TYPE_CHECKING:
    from sinehil.device import Device

VALUES = 256


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("bench")(bench)


def bench(port: options.Port, as_json: options.AsJson = False) -> None:
    """Measure cycles per inference on the board, and bytes and time per value on the wire."""
    from sinehil.bench import measure_cycles
    from sinehil.device import Device
    from sinehil.transport import SerialTransport
    from sinehil.verify.probes import all_codes, evenly_spaced

    console = Console(as_json)
    with SerialTransport(port) as transport:
        device = Device(transport)
        identity = device.connect()
        cycles = measure_cycles(device)
        wire = {
            "codes": _wire_cost(device, lambda: device.infer_codes(all_codes())),
            "floats": _wire_cost(device, lambda: device.infer_floats(evenly_spaced(VALUES))),
        }
    console.say(f"{identity.engine} kernel on {identity.board} at {identity.clock_hz / 1e6:g} MHz, {port}")
    if cycles is None:
        console.say("this board has no cycle counter")
    else:
        time_us = cycles.mean / cycles.clock_hz * 1e6
        console.say(
            f"cycles per inference: {cycles.mean:.1f} mean, {cycles.max} worst of 256 codes ({time_us:.1f} us mean)"
        )
    for name, cost in wire.items():
        console.say(
            f"{name}: {cost['bytes_per_value']:.1f} bytes and {cost['us_per_value']:.0f} us per value on the wire"
        )
    console.result(
        {
            "port": port,
            "board": identity.board,
            "engine": identity.engine,
            "model_sha256": identity.model_sha256,
            "cycles_per_inference": None if cycles is None else cycles.mean,
            "cycles_max": None if cycles is None else cycles.max,
            "clock_hz": identity.clock_hz,
            "wire": wire,
        }
    )


def _wire_cost(device: "Device", exchange: Callable[[], object]) -> dict[str, float]:
    """Return bytes (both ways) and microseconds per value of one exchange of VALUES values."""
    before, started = device.counters.bytes_sent + device.counters.bytes_received, time.monotonic()
    exchange()
    elapsed_s = time.monotonic() - started
    moved = device.counters.bytes_sent + device.counters.bytes_received - before
    return {"bytes_per_value": moved / VALUES, "us_per_value": elapsed_s / VALUES * 1e6}
