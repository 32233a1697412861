"""``sinehil soak``: boards at work for a long time, and what it does to the host."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sinehil.base.console import Console, Stage
from sinehil.base.deadline import Deadline
from sinehil.commands import options
from sinehil.errors import ExitCode, UsageError
from sinehil.verify import DEFAULT_SEED, Verdict

if TYPE_CHECKING:
    from sinehil_audit.soak.board_process import SoakPlan
    from sinehil_audit.soak.findings import Findings
    from sinehil_audit.soak.soak_log import Log, Record

MAX_BOARDS = 32
DEFAULT_BOARDS = 2


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("soak")(soak)


def soak(
    context: typer.Context,
    minutes: Annotated[float, typer.Option(min=0.01, help="How long.")] = 10.0,
    port: Annotated[
        list[str] | None,
        typer.Option("--port", "-p", metavar="PORT", help="A board's port; may be given several times."),
    ] = None,
    boards: Annotated[
        int | None,
        typer.Option(min=1, max=MAX_BOARDS, help="How many virtual Unos (2), where no port is given."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="What inputs and order are drawn from.")] = DEFAULT_SEED,
    flash_once_in: Annotated[
        int,
        typer.Option(min=2, help="How many actions to one flash: an ATmega328P's wears out after 10,000."),
    ] = 13,
    report: Annotated[Path, typer.Option(metavar="DIR", help="Where soak.jsonl and soak.html go.")] = Path(
        "reports/soak"
    ),
    artifacts: options.Artifacts = options.DEFAULT_ARTIFACTS,
    model: options.Model = None,
    fqbn: options.Fqbn = options.DEFAULT_FQBN,
    oracle: options.Oracle = options.DEFAULT_ORACLE,
    build: options.BuildDir = options.DEFAULT_BUILD,
    trace: options.Trace = None,
    as_json: options.AsJson = False,
) -> int:
    """Flash, verify, reset and stream in a loop on one or several boards at once, and hold the host to account.

    PASS if no action failed, each kind was done, no process of ours grew, and descriptors and child processes ended
    as they began. In less than two minutes not every kind need be done.
    """
    from sinehil.board.transport import check_port
    from sinehil.jobs.selection import select
    from sinehil.model.arithmetic import arithmetic_of
    from sinehil_audit.soak.actions import make_soak_bench
    from sinehil_audit.soak.board_process import SoakPlan
    from sinehil_audit.soak.soak_log import Log

    arithmetic_of(oracle)  # an unknown one is refused before anything is done
    if port and boards is not None:
        raise UsageError("--boards is for virtual boards, and --port for real ones", "leave one of them out")
    if port and len(set(port)) < len(port):
        raise UsageError("a port is given twice", "name each board once")
    for name in port or ():
        check_port(name)
    opened = options.open_trace(context, trace)
    console = Console(as_json)
    selection = select(artifacts, model, oracle=oracle, fqbn=fqbn, build=build)
    bench = make_soak_bench(console, selection, seed, opened)
    ports: list[str | None] = [*port] if port else [None] * (boards or DEFAULT_BOARDS)
    plans = [SoakPlan(board, name, seed, minutes, flash_once_in, bench) for board, name in enumerate(ports)]
    with Log(report / "soak.jsonl") as log:
        try:
            _run(console, plans, log)
        finally:  # Ctrl-C too
            findings, page = _write_page(log, report)
    return _say(console, findings, log, page)


def _run(console: Console, plans: "list[SoakPlan]", log: "Log") -> None:
    from sinehil_audit.soak.supervisor import run

    counts = {"action": 0, "failure": 0}
    minutes = plans[0].minutes
    end = Deadline.after(60 * minutes)
    with console.stage("soak", with_eta=True) as stage:

        def keep(record: "Record") -> None:
            log.keep(record)
            if record["kind"] in counts:
                counts[record["kind"]] += 1
                _show(console, stage, record, counts, 1 - end.remaining_s / (60 * minutes))

        run(plans, keep)
        stage.note = f"{counts['action']:,} actions on {len(plans)} boards, {counts['failure']} failures"


def _show(console: Console, stage: Stage, record: "Record", counts: dict[str, int], fraction: float) -> None:
    stage.update(f"{counts['action']:,} actions, {counts['failure']} failures", min(fraction, 1.0))
    if record["kind"] == "failure":
        number = f" (action {record['number']})" if "number" in record else ""
        where = f"board {record['board']}, {record['action']}{number}, seed {record['seed']}"
        console.say(f"{where}: {record['error']}", style="bold red")
        console.say(record["output"].rstrip())


def _write_page(log: "Log", report: Path) -> "tuple[Findings, Path]":
    from sinehil.base.files import write_atomically
    from sinehil_audit.soak.findings import findings_of
    from sinehil_audit.soak.soak_log import read_log
    from sinehil_audit.soak.soak_page import page_html

    findings, page = findings_of(read_log(log.path)), report / "soak.html"
    write_atomically(page, page_html(findings, log.path.name, log.missing).encode())
    return findings, page


def _say(console: Console, findings: "Findings", log: "Log", page: Path) -> int:
    from sinehil_audit.soak.soak_page import document

    passed = findings.verdict is Verdict.PASS and not log.missing
    word = Verdict.PASS if passed else Verdict.FAIL
    for latency in findings.latencies:
        times = ", ".join(f"{1e3 * took_s:,.1f}" for took_s in latency.percentiles_s())
        console.say(f"{latency.action:<11}{len(latency.took_s):>8,} times; p50, p95, p99, max in ms: {times}")
    for clause in [*log.missing, *findings.unfinished, *findings.leaks]:
        console.say(clause, style="bold red")
    for clause in findings.remarks:
        console.say(f"too short: {clause}")
    console.say(
        f"{word.value}: {findings.compared:,} outputs compared", "bold green" if passed else "bold red"
    )
    console.say(f"report: {page}")
    console.result(document(findings, word.value, log, page))
    return ExitCode.OK if passed else ExitCode.FAIL
