"""``sinehil audit mutants``: change a kernel in every small way, and count which checks notice."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sinehil.base.console import Console
from sinehil.commands import options
from sinehil.errors import ExitCode, UsageError
from sinehil.verify import DEFAULT_SEED, Mode

if TYPE_CHECKING:
    from sinehil_audit.mutants.kernel_audit import Subject
    from sinehil_audit.mutants.parallel_audit import AuditedKernel

HELP = """Make kernels wrong in every small way there is, run `verify` on each, and count who notices.

Every single bit of every constant of the generated kernel is flipped, of a kernel in assembly every bit at all;
neurons are swapped, loops are off by one, roundings are wrong. The exhaustive comparison must notice every mutant
with a wrong output, and the identity every flipped bit: else the exit code is 1.
"""
KERNELS = ("speed", "portable")  # what an Uno gets where it fits, and what every other board gets


def audit_mutants(
    artifacts: options.Artifacts = options.DEFAULT_ARTIFACTS,
    model: options.Model = None,
    optimize: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND", help="A kernel to audit; may be given again. Without it: speed and portable."
        ),
    ] = None,
    oracle: options.Oracle = options.DEFAULT_ORACLE,
    sample: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="At most N mutants of each kind, drawn by --seed.")
    ] = None,
    on_board: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="N",
            help="Flip N of them also in the flash of a virtual Uno, and verify over its port.",
        ),
    ] = 0,
    port: options.OptionalPort = None,
    seed: Annotated[int, typer.Option(min=0, help="What samples are drawn from.")] = DEFAULT_SEED,
    jobs: Annotated[
        int | None, typer.Option(min=1, max=256, metavar="N", help="Worker processes; else one a core.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write mutants.md, mutants.png and mutants.json here.")
    ] = None,
    fqbn: options.Fqbn = options.DEFAULT_FQBN,
    build: options.BuildDir = options.DEFAULT_BUILD,
    as_json: options.AsJson = False,
) -> int:
    """Audit; see HELP."""
    from sinehil.jobs.selection import select
    from sinehil.model.arithmetic import arithmetic_of
    from sinehil_audit.mutants.mutants_report import lines, write_report
    from sinehil_audit.mutants.on_board import audit_on_board
    from sinehil_audit.mutants.parallel_audit import audited_kernels
    from sinehil_audit.mutants.parallel_audit import document as document_of

    arithmetic_of(oracle)  # an unknown one is refused before anything is done
    if port is not None and not on_board:
        raise UsageError("--port is for mutants on a board", "add --on-board N")
    console = Console(as_json)
    selection = select(artifacts, model, oracle=oracle, fqbn=fqbn, build=build)
    loaded, modes = selection.model, [Mode.EXHAUSTIVE]
    if model is None:
        modes.append(Mode.TEST_SET)
    subjects = audited_kernels(selection, optimize or list(KERNELS), seed, modes)
    processes = jobs or len(os.sched_getaffinity(0))
    found, kernels, failures = [], [], list[str]()
    for subject in subjects:
        audited = _audit(console, subject, sample, processes)
        board = audit_on_board(console, subject, selection, port, on_board) if on_board else None
        found.append(audited)
        kernels.append(document_of(audited, board))
        failures += [*audited.survivors, *(board["disagreements"] if board else ())]
        console.say(f"\n{lines(kernels[-1])}")
    for line in failures:
        console.say(line, style="bold red")
    document = {"model_sha256": loaded.sha256, "oracle": oracle, "seed": seed, "kernels": kernels}
    if out is not None:
        write_report(out, loaded.shape_text, found, document)
        console.say(f"table, plot, and every outcome: {out}")
    console.result(document)
    return ExitCode.FAIL if failures else ExitCode.OK


def _audit(console: Console, subject: "Subject", sample: int | None, jobs: int) -> "AuditedKernel":
    from sinehil_audit.mutants.parallel_audit import audit_shared

    with console.stage("mutants", with_eta=True) as stage:

        def show(done: int, total: int) -> None:
            stage.update(f"{subject.kernel.engine}: {done:,} of {total:,}", done / total)

        audited = audit_shared(subject, sample, jobs, show)
        total = audited.total
        stage.note = (
            f"{audited.engine}: {total.mutants:,} of {audited.mutants:,}, {total.visible:,} visible, of which the "
            f"exhaustive comparison notices {total.exhaustive:,}"
        )
    return audited
