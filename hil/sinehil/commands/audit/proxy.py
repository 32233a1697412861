"""``sinehil audit proxy``: a port in front of a board, with seeded faults on the line between."""

import contextlib
import itertools
from pathlib import Path
from typing import Annotated

import typer

from sinehil.base.console import Console
from sinehil.commands import options
from sinehil.errors import UsageError

PIECES = 150  # requests of an exhaustive verification: where faults are planned
DEFAULT_LINK = "faulty"


def audit_proxy(
    context: typer.Context,
    port: Annotated[
        list[str],
        typer.Option(
            "--port",
            "-p",
            metavar="PORT",
            help="The board; given again, boards that take its place when exchanged.",
        ),
    ],
    link: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Where the port appears that programs are to open.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Which faults there are.")] = 7,
    case: Annotated[
        int, typer.Option(min=0, help="The first open's case; each further open has the next.")
    ] = 0,
    fault: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Only cases of this kind, named as in the table of `audit link`."),
    ] = None,
    opens: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="End after so many opens; else with Ctrl-C.")
    ] = None,
    trace: options.Trace = None,
    as_json: options.AsJson = False,
) -> None:
    """Stand in front of a board and spoil what passes, until Ctrl-C: any program may open the port, also avrdude.

    Each time it is opened another case begins, the same for the same seed and number: bits, bytes, frames, delays,
    stalls, replays of the case before, resets, exchanged boards, a pulled plug.
    """
    from sinehil.base.folders import runtime_dir
    from sinehil.board.transport import SerialTransport
    from sinehil_audit.link.fault_schedule import schedule_of
    from sinehil_audit.link.faulty_transport import FaultyTransport
    from sinehil_audit.link.link_proxy import POLL_S, TracedLine, serve

    opened = options.open_trace(context, trace)
    console, path = Console(as_json), (link or runtime_dir() / DEFAULT_LINK).absolute()
    numbers = itertools.islice(_cases(case, fault), opens)
    struck: list[dict[str, object]] = []
    earlier: tuple[list[bytes], list[bytes]] = ([], [])
    with contextlib.ExitStack() as stack:
        ports = [stack.enter_context(SerialTransport(name, POLL_S)) for name in port]
        boards = [TracedLine(item, opened, item.name) for item in ports] if opened else ports

        def line_of(number: int) -> FaultyTransport:
            return FaultyTransport(boards, schedule_of(seed, number, PIECES), earlier)

        def ended(number: int, line: FaultyTransport) -> None:
            nonlocal earlier
            row = schedule_of(seed, number, PIECES).row
            console.say(
                f"case {seed}:{number}, {row}: {len(line.faulted)} of {line.requests} requests struck"
            )
            struck.append(
                {"case": number, "fault": row, "requests": line.requests, "faulted": len(line.faulted)}
            )
            earlier = (line.sent, line.heard)

        def plugged() -> None:
            console.say(f"{', '.join(port)} behind a bad line on {path} (Ctrl-C ends it)")

        with contextlib.suppress(KeyboardInterrupt):  # how this command ends
            serve(path, line_of, numbers, ended, plugged, opened)
    console.result({"port": str(path), "seed": seed, "cases": struck})


def _cases(first: int, fault: str | None) -> "itertools.count[int]":
    from sinehil_audit.link.fault_schedule import ROWS

    if fault is None:
        return itertools.count(first)
    if fault not in ROWS:
        raise UsageError(f"there is no fault {fault!r}", "choose one of: " + ", ".join(ROWS))
    return itertools.count(first + (ROWS.index(fault) - first) % len(ROWS), len(ROWS))
