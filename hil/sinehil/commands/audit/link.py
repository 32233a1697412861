"""``sinehil audit link``: verify over faulty lines and boards, checked against known answers."""

import contextlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sinehil.base.console import Console
from sinehil.commands import options
from sinehil.errors import ArtefactError, ExitCode, UsageError

if TYPE_CHECKING:
    from sinehil.model.tflite import QuantizedModel
    from sinehil_audit.link.link_audit import LinkAudit
    from sinehil_audit.link.recorded_boards import FlashedBoards

DEFAULT_TRANSACTIONS, DEFAULT_SEED = 20_000, 7
SHOWN_VIOLATIONS = 20
DAMAGED, NOISY = 50_000, 500  # frames damaged in each way, verifications at each bit error rate


def audit_link(
    context: typer.Context,
    transactions: Annotated[
        int, typer.Option(min=1, metavar="N", help="Go on until N requests have met a fault.")
    ] = DEFAULT_TRANSACTIONS,
    seed: Annotated[int, typer.Option(min=0, help="Which faults there are.")] = DEFAULT_SEED,
    replay: Annotated[
        str | None, typer.Option(metavar="SEED:CASE", help="Run one case again and tell all about it.")
    ] = None,
    on_board: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="N",
            help="Also go on over bad lines to virtual Unos, until N requests have met a fault.",
        ),
    ] = 0,
    port: Annotated[
        list[str] | None,
        typer.Option(
            "--port", "-p", metavar="PORT", help="A board instead, up to three: right, wrong, another model."
        ),
    ] = None,
    processes: Annotated[
        int, typer.Option(min=1, max=64, help="How many work side by side; the result is the same.")
    ] = 2,
    artifacts: options.Artifacts = options.DEFAULT_ARTIFACTS,
    model: options.Model = None,
    fqbn: options.Fqbn = options.DEFAULT_FQBN,
    oracle: options.Oracle = options.DEFAULT_ORACLE,
    build: options.BuildDir = options.DEFAULT_BUILD,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the page with the table here.")
    ] = None,
    trace: options.Trace = None,
    as_json: options.AsJson = False,
) -> int:
    """Verify over lines that fail on purpose: bits, bytes, frames, delays, resets, exchanged boards.

    There must never be a false PASS, a wrong value that counts, a hang or a crash. The firmware and the host's code
    are the real ones, the line between them is simulated, with its time. A request counts as faulted when what
    arrived of it or of its reply, or when, was not what had been sent. Exit code 1 if anything was not as it must be;
    `--replay` shows such a case again. With `--on-board` the same cases go on over real ports, in front of which the
    same faults are made, one case again with `--replay` too; `sinehil audit proxy` makes them for any program.
    """
    from sinehil.jobs.selection import select
    from sinehil_audit.link.fixtures import make_link_bench
    from sinehil_audit.link.link_audit import LinkAudit, count_cases
    from sinehil_audit.link.link_report import table
    from sinehil_audit.link.recorded_boards import (
        MOST_BOARDS,
        audit_on_boards,
        flashed_boards,
        replayed,
        replayed_on_boards,
    )

    if trace is not None and replay is None:
        raise UsageError("--trace shows the frames of one case", "add --replay SEED:CASE")
    opened = options.open_trace(context, trace, None if on_board else 0.0)
    console = Console(as_json)
    loaded = select(artifacts, model).model
    if (loaded.inputs, loaded.outputs) != (1, 1):
        raise ArtefactError(
            f"{loaded.name} has {loaded.inputs} inputs and {loaded.outputs} outputs",
            "the audit of the link needs a model with one input and one output, whose every answer it can know",
        )
    ports = port or []
    if ports and not on_board:
        raise UsageError("--port is for lines in front of boards", "add --on-board N")
    if len(set(ports)) < len(ports) or len(ports) > MOST_BOARDS:
        raise UsageError(f"--port names boards, each once, {MOST_BOARDS} at most", "leave some of them out")

    def boards() -> "contextlib.AbstractContextManager[FlashedBoards]":
        return flashed_boards(console, make_link_bench(loaded, oracle), ports, fqbn, build)

    if replay is not None:
        case = _seed_and_case(replay)
        if on_board:
            with boards() as flashed:
                document = replayed_on_boards(flashed, case, opened)
        else:
            document = replayed(make_link_bench(loaded, oracle), case, opened)
        return _shown(console, document)
    started = time.monotonic()
    with console.stage("audit link", with_eta=True) as stage:
        tally = count_cases(loaded, oracle, seed, transactions, processes, stage)
        total = tally.total
        stage.note = total.sentence
    console.say(f"\n{table(tally)}\n")
    console.say(f"{total.faulted / (time.monotonic() - started):,.0f} faulted requests a second")
    on_boards = None
    if on_board:
        with boards() as flashed:
            on_boards = audit_on_boards(console, flashed, seed, on_board)
        console.say(f"\n{table(on_boards)}\n")
    audited = LinkAudit(seed, tally, on_boards, time.monotonic() - started)
    return _reported(console, audited, loaded, oracle, out)


def _reported(
    console: Console, audited: "LinkAudit", model: "QuantizedModel", oracle: str, out: Path | None
) -> int:
    from sinehil.base.files import write_atomically
    from sinehil_audit.link.fixtures import make_link_bench
    from sinehil_audit.link.link_report import page
    from sinehil_audit.link.residual import RATES, measure_throughput, reckon_residual

    found = audited.found
    for text in found[:SHOWN_VIOLATIONS]:
        console.say(text, style="bold red")
    console.say(f"{len(found)} violations")
    if out is not None:
        bench = make_link_bench(model, oracle)
        residual = reckon_residual(bench.earlier[0], (*RATES, 1e-3), DAMAGED, audited.seed)
        noisy = [measure_throughput(bench, rate, NOISY, audited.seed) for rate in RATES]
        write_atomically(out, page(audited, model, residual, noisy).encode())
        console.say(f"page: {out}")
    console.result({"model_sha256": model.sha256, **audited.document()})
    return ExitCode.FAIL if found else ExitCode.OK


def _seed_and_case(name: str) -> tuple[int, int]:
    try:
        seed, case = (int(part) for part in name.split(":"))
    except ValueError as error:
        raise UsageError(f"--replay {name} is no SEED:CASE", "write it as in `--replay 7:123`") from error
    return seed, case


def _shown(console: Console, document: "dict[str, Any]") -> int:
    """Show what came of one case."""
    for key, value in document.items():
        console.say(f"{key}: {value}")
    console.result(document)
    return ExitCode.FAIL if document["violations"] else ExitCode.OK
