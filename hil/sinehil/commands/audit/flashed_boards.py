"""Boards for ``sinehil audit link``: flashed with firmwares whose every answer is known."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sinehil.base.console import Console

if TYPE_CHECKING:
    from sinehil.board.transport import SerialTransport
    from sinehil_audit.link.fixtures import LinkBench
    from sinehil_audit.link.link_audit import Tally

MOST_BOARDS = 3  # one for each firmware of ``bench_of_boards``


@dataclass(frozen=True)
class Boards:
    """Open ports of boards that have the firmwares of a bench, in its order."""

    bench: "LinkBench"
    ports: "Sequence[SerialTransport]"


@contextlib.contextmanager
def flashed_boards(
    console: Console, bench: "LinkBench", ports: Sequence[str], fqbn: str, build: Path
) -> Iterator[Boards]:
    """Flash the boards on ``ports``, virtual Unos if there are none, and yield them."""
    from sinehil.virtual import VirtualUno
    from sinehil_audit.link.recorded_boards import bench_of_boards

    bench = bench_of_boards(bench, len(ports) or MOST_BOARDS)
    with contextlib.ExitStack() as stack:
        names = [*ports] or [stack.enter_context(VirtualUno.start()).port for _ in bench.firmwares]
        opened = [
            stack.enter_context(_flashed(console, bench, number, name, fqbn, build))
            for number, name in enumerate(names)
        ]
        yield Boards(bench, opened)


def audit_on_boards(console: Console, boards: Boards, seed: int, transactions: int) -> "Tally":
    """Verify over lines that fail in front of boards until so many requests have met a fault."""
    from sinehil_audit.link.link_audit import Tally
    from sinehil_audit.link.recorded_boards import tallies

    total = Tally()
    with console.stage("boards", with_eta=True) as stage:
        for part in tallies(boards.bench, boards.ports, seed):
            total.add(part)
            done = total.total.faulted
            if done >= transactions:
                break
            stage.update(f"{done:,} of {transactions:,} faulted", done / transactions)
        stage.note = total.total.sentence
    return total


def _flashed(
    console: Console, bench: "LinkBench", number: int, name: str, fqbn: str, build: Path
) -> "SerialTransport":
    """Return the open port of the board, with the firmware of that number on it."""
    from sinehil.arduino import compile_sketch, prepare_environment, stage_sketch, upload
    from sinehil.board.transport import SerialTransport

    firmware, folder = bench.firmwares[number], build / f"audit-link-{number}"
    with console.stage("flash") as stage:
        environment = prepare_environment(lambda text: stage.update(text, None))
        image = compile_sketch(environment, stage_sketch(firmware.kernel, folder), fqbn, folder / "out")
        port = upload(environment, image, name)
        stage.note = f"{firmware.name} on {port}"
    return SerialTransport(port)
