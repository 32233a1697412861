"""``sinehil demo``: the whole main job, without a board."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from sinehil.base.console import Console
from sinehil.commands import options
from sinehil.errors import ExitCode


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(demo)


def demo(
    context: typer.Context,
    artifacts: options.Artifacts = options.DEFAULT_ARTIFACTS,
    build: options.BuildDir = options.DEFAULT_BUILD,
    report: Annotated[
        Path, typer.Option(metavar="DIR", help="Where report.html, report.json and junit.xml go.")
    ] = Path("reports/demo"),
    retrain: Annotated[
        bool,
        typer.Option(
            "--retrain", help="Train even if the artefacts of this recipe and these versions are there."
        ),
    ] = False,
    trace: options.Trace = None,
    as_json: options.AsJson = False,
) -> int:
    """Train, convert, compile, flash a virtual Uno through its bootloader, and verify every input."""
    from sinehil.arduino import upload
    from sinehil.jobs import firmware
    from sinehil.jobs import verification as steps
    from sinehil.jobs.selection import select
    from sinehil.jobs.training import train_once
    from sinehil.report import result_json, write_report
    from sinehil.verify import DEFAULT_SEED, Mode, Verdict
    from sinehil.virtual import VirtualUno

    opened = options.open_trace(context, trace)
    console = Console(as_json)
    train_once(console, artifacts, retrain)
    selection = select(artifacts, build=build)
    built = firmware.compile_firmware(console, selection)
    with console.stage("board") as stage:
        board = VirtualUno.start()
        stage.note = f"virtual Uno on {board.port}"
    with board:
        with console.stage("flash") as stage:
            port = upload(built.environment, built.firmware, board.port)
            stage.note = f"{built.firmware.flash_bytes} bytes through Optiboot, read back"
        with console.stage("verify") as stage:
            inputs = steps.probe_inputs(selection, Mode.EXHAUSTIVE, None, DEFAULT_SEED)
            result = steps.verify_port(port, built.expected, inputs, trace=opened)
            result = replace(result, firmware=built.size)
            stage.note = f"{result.compared} compared, {result.mismatches} mismatches"
    page = write_report(result, report)
    steps.say_summary(console, result)
    console.say(f"report: {page}")
    console.result({**result_json(result), "report": str(page), "artifacts": str(artifacts)})
    return ExitCode.OK if result.verdict is Verdict.PASS else ExitCode.FAIL
