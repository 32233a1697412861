"""Boards for ``sinehil audit link``: flashed with firmwares whose every answer is known."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sinehil.console import Console

if TYPE_CHECKING:
    from sinehil.faults.bench import Bench
    from sinehil.faults.tally import Tally
    from sinehil.transport import SerialTransport

VIRTUAL_BOARDS = 3  # one for each firmware of ``bench_of_boards``


def audit_on_boards(
    console: Console,
    bench: "Bench",
    seed: int,
    transactions: int,
    ports: Sequence[str],
    fqbn: str,
    build: Path,
) -> "Tally":
    """Verify over lines that fail in front of boards until so many requests have met a fault.

    ``ports`` empty means virtual Unos.
    """
    from sinehil.faults.boards import bench_of_boards, tallies
    from sinehil.faults.tally import Tally

    bench, total = bench_of_boards(bench, len(ports) or VIRTUAL_BOARDS), Tally()
    with contextlib.ExitStack() as stack:
        boards = [stack.enter_context(board) for board in _flashed(console, bench, ports, fqbn, build, stack)]
        with console.stage("boards", with_eta=True) as stage:
            for part in tallies(bench, boards, seed):
                total.add(part)
                done = total.total.faulted
                if done >= transactions:
                    break
                stage.update(f"{done:,} of {transactions:,} faulted", done / transactions)
            stage.note = total.total.sentence
    return total


def _flashed(
    console: Console,
    bench: "Bench",
    ports: Sequence[str],
    fqbn: str,
    build: Path,
    stack: contextlib.ExitStack,
) -> "Iterator[SerialTransport]":
    """Yield an open port for each firmware of the bench, in its order."""
    from sinehil.arduino import compile_sketch, prepare_environment, stage_sketch, upload
    from sinehil.transport import SerialTransport
    from sinehil.virtual import VirtualUno

    names = [*ports] or [stack.enter_context(VirtualUno.start()).port for _ in bench.firmwares]
    for number, (name, firmware) in enumerate(zip(names, bench.firmwares, strict=True)):
        with console.stage("flash") as stage:
            environment = prepare_environment(lambda text: stage.update(text, None))
            folder = build / f"audit-link-{number}"
            image = compile_sketch(environment, stage_sketch(firmware.kernel, folder), fqbn, folder / "out")
            port = upload(environment, image, name)
            stage.note = f"{firmware.name} on {port}"
        yield SerialTransport(port)
