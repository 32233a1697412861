"""``sinehil audit link``: verify over lines and boards that fail on purpose, checked against known answers."""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sinehil.base.console import Console, Stage
from sinehil.commands import options
from sinehil.errors import ArtefactError, ExitCode, UsageError

if TYPE_CHECKING:
    from sinehil.base.worker import Channel
    from sinehil.board.trace import TraceSink
    from sinehil.commands.audit.flashed_boards import Boards
    from sinehil.model.tflite import QuantizedModel
    from sinehil_audit.link.fixtures import LinkBench
    from sinehil_audit.link.link_audit import LinkAudit, Tally

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
    from sinehil.commands.audit.flashed_boards import MOST_BOARDS, audit_on_boards, flashed_boards
    from sinehil.jobs.selection import select
    from sinehil_audit.link.link_audit import LinkAudit
    from sinehil_audit.link.link_report import table

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

    def boards() -> "contextlib.AbstractContextManager[Boards]":
        return flashed_boards(console, make_link_bench(loaded, oracle), ports, fqbn, build)

    if replay is not None:
        return _replay(console, loaded, oracle, _seed_and_case(replay), boards if on_board else None, opened)
    started = time.monotonic()
    with console.stage("audit link", with_eta=True) as stage:
        tally = _counted(loaded, oracle, seed, transactions, processes, stage)
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


def _counted(
    model: "QuantizedModel", oracle: str, seed: int, transactions: int, processes: int, stage: Stage
) -> "Tally":
    """Add up blocks in their order until there are enough; how many processes count them makes no difference."""
    from sinehil.base.workers import Silence, Workers
    from sinehil_audit.link.link_audit import Tally

    total, early = Tally(), dict[int, Tally]()
    with Workers(Silence()) as workers:
        tasks = [
            workers.start(count_blocks, model.data, oracle, seed, first, processes)
            for first in range(processes)
        ]
        following = {task: first for first, task in enumerate(tasks)}
        wanted = 0
        for task, part in workers.parts(*tasks):
            early[following[task]] = part
            following[task] += processes
            while wanted in early:
                total.add(early.pop(wanted))
                wanted += 1
                if total.total.faulted >= transactions:
                    return total
            done = total.total.faulted
            stage.update(f"{done:,} of {transactions:,} faulted", done / transactions)
    raise AssertionError("blocks have no end")


def count_blocks(
    channel: "Channel", data: bytes, oracle: str, seed: int, first: int, step: int
) -> None:  # in a worker
    """Hand over the tallies of every ``step``-th block, until ended."""
    from sinehil.model.tflite import parse_quantized_model
    from sinehil_audit.link.link_audit import blocks

    for tally in blocks(make_link_bench(parse_quantized_model(data, "model"), oracle), seed, first, step):
        channel.hand_over(tally)


def make_link_bench(model: "QuantizedModel", oracle: str) -> "LinkBench":
    """Return the boards for a model, with the kernel for every board."""
    from sinehil.jobs.firmware import expectation
    from sinehil.model.interpreters import open_oracle
    from sinehil_audit.link.fixtures import make_bench
    from sinehil_kernels import proven_kernel

    kernel = proven_kernel(model, oracle)
    return make_bench(expectation(model, oracle, kernel), open_oracle(oracle, model), kernel.sources)


def _reported(
    console: Console, audited: "LinkAudit", model: "QuantizedModel", oracle: str, out: Path | None
) -> int:
    from sinehil.base.files import write_atomically
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


def _replay(
    console: Console,
    model: "QuantizedModel",
    oracle: str,
    case: tuple[int, int],
    boards: "Callable[[], contextlib.AbstractContextManager[Boards]] | None",
    trace: "TraceSink | None",
) -> int:
    """Run one case, on boards if there are any, and tell its faults, what came of it, and what is wrong with that."""
    from sinehil_audit.link.case import run_case
    from sinehil_audit.link.recorded_boards import SLACK_S, run_on_boards
    from sinehil_audit.link.verdict_check import violations

    if boards is None:
        bench = make_link_bench(model, oracle)
        seen = run_case(bench, *case, trace)
        found = violations(bench, seen)
    else:
        with boards() as flashed:
            seen = run_on_boards(flashed.bench, flashed.ports, *case, trace)
            found = violations(flashed.bench, seen, SLACK_S)
    document = dict(_told(seen, found))
    for key, value in document.items():
        console.say(f"{key}: {value}")
    console.result(document)
    return ExitCode.FAIL if found else ExitCode.OK


def _told(seen: Any, found: list[str]) -> Iterator[tuple[str, Any]]:
    outcome = seen.outcome
    yield "plan", seen.plan.name
    yield "row", seen.schedule.row
    yield "faults", [f"{fault.direction} {fault.piece}: {fault.kind}" for fault in seen.schedule.faults]
    yield "outcome", repr(outcome) if isinstance(outcome, BaseException) else str(outcome.verdict)
    yield "requests", seen.requests
    yield "faulted", seen.faulted
    yield "retries", seen.retries
    yield "elapsed_s", seen.elapsed_s
    yield "violations", found
