"""``sinehil bench``: what an inference and a value on the wire cost; below it, ``train`` and ``engines``."""

import time
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from sinehil.base.console import Console
from sinehil.commands import options
from sinehil.commands.bench_engines import bench_engines
from sinehil.errors import UsageError

if TYPE_CHECKING:
    from sinehil.board.device import Device
    from sinehil.board.trace import TraceFile

VALUES = 256
FEWEST_SAMPLES = 16
SEE_HELP = "see `sinehil COMMAND --help`"


def register(app: typer.Typer) -> None:
    """Add the command, which measures a board, and those below it."""
    group = typer.Typer(invoke_without_command=True, rich_markup_mode=None)
    group.callback()(bench)
    group.command("train")(bench_train)
    group.command("engines")(bench_engines)
    app.add_typer(group, name="bench")


def bench(
    context: typer.Context,
    port: options.OptionalPort = None,
    trace: options.Trace = None,
    as_json: options.AsJson = False,
) -> None:
    """Measure cycles per inference on the board, and bytes and time per value on the wire.

    With `train`: measure the two trainers. With `engines`: measure our kernels and others' for the same net.
    """
    if context.invoked_subcommand is not None:
        if port is not None or trace is not None or as_json:
            raise UsageError(f"options of `bench {context.invoked_subcommand}` stand behind it", SEE_HELP)
    elif port is None:
        raise UsageError("Missing option '--port' / '-p'.", SEE_HELP)
    else:
        bench_board(port, as_json, options.open_trace(context, trace))


def bench_train(
    epochs: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Train N epochs instead of as many as the book.")
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Train the book's models with Keras' fit and with the portable trainer, and say how many times faster that is."""
    from sinehil.jobs.training import compare_book_trainers

    console = Console(as_json)
    console.result(compare_book_trainers(console, epochs))


def bench_board(port: str, as_json: bool, trace: "TraceFile | None") -> None:
    """Measure the board on ``port``."""
    from sinehil.board.device import Device
    from sinehil.board.transport import SerialTransport
    from sinehil.report.number_text import counters_text
    from sinehil.verify.board_measurements import measure_cycles, read_counters

    console = Console(as_json)
    with SerialTransport(port) as transport:
        device = Device(transport, trace=trace)
        identity = device.connect()
        cycles = measure_cycles(device)
        wire = _wire_costs(device)
        counters = read_counters(device)
    console.say(f"{identity.engine} kernel on {identity.board} at {identity.clock_hz / 1e6:g} MHz, {port}")
    if cycles is None:
        console.say("this board has no cycle counter, or none that reaches so far")
    else:
        time_us = cycles.mean / cycles.clock_hz * 1e6
        console.say(
            f"cycles per inference: {cycles.mean:.1f} mean, {cycles.max} worst of {cycles.samples} "
            f"{'codes' if identity.inputs == 1 else 'samples'} ({time_us:.1f} us mean)"
        )
    for name, cost in wire.items():
        console.say(
            f"{name}: {cost['bytes_per_value']:.1f} bytes and {cost['us_per_value']:.0f} us per value on the wire"
        )
    console.say(f"counted by the board: {counters_text(counters)}")
    console.result(
        {
            "port": port,
            "board": identity.board,
            "engine": identity.engine,
            "model_sha256": identity.model_sha256,
            "cycles_per_inference": None if cycles is None else cycles.mean,
            "cycles_max": None if cycles is None else cycles.max,
            "cycles_samples": None if cycles is None else cycles.samples,
            "clock_hz": identity.clock_hz,
            "wire": wire,
            "counters": asdict(counters),
        }
    )


def _wire_costs(device: "Device") -> dict[str, dict[str, float]]:
    """Return what each input value costs on the wire, as a code and as a float."""
    import numpy as np

    from sinehil.verify.probes import all_codes

    codes = np.resize(all_codes(), (max(VALUES // device.inputs, FEWEST_SAMPLES), device.inputs))
    sent = codes[:, 0] if device.inputs == 1 else codes
    return {
        "codes": _wire_cost(device, lambda: device.infer_codes(sent), codes.size),
        "floats": _wire_cost(device, lambda: device.infer_floats(sent.astype(np.float32)), codes.size),
    }


def _wire_cost(device: "Device", exchange: Callable[[], object], values: int) -> dict[str, float]:
    """Return bytes (both ways) and microseconds per value of one exchange of so many values."""
    before, started = device.counters.bytes_sent + device.counters.bytes_received, time.monotonic()
    exchange()
    elapsed_s = time.monotonic() - started
    moved = device.counters.bytes_sent + device.counters.bytes_received - before
    return {"bytes_per_value": moved / values, "us_per_value": elapsed_s / values * 1e6}
