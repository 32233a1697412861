"""``sinehil audit mutants``: kernels made wrong in every small way there is, and who notices."""

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sinehil.base.console import Console
from sinehil.commands import options
from sinehil.errors import ExitCode, UsageError
from sinehil.verify import DEFAULT_SEED, Mode

if TYPE_CHECKING:
    from sinehil.jobs.selection import Selection
    from sinehil.model.tflite import QuantizedModel
    from sinehil_audit.mutants.kernel_audit import Subject
    from sinehil_audit.mutants.on_board import MutantBoard
    from sinehil_audit.mutants.parallel_audit import AuditedKernel
    from sinehil_kernels import GeneratedKernel

HELP = """Make kernels wrong in every small way there is, run `verify` on each, and count who notices.

Every single bit of every constant of the generated kernel is flipped, of a kernel in assembly every bit at all;
neurons are swapped, loops are off by one, roundings are wrong. The exhaustive comparison must notice every mutant
with a wrong output, and the identity every flipped bit: else the exit code is 1.
"""
KERNELS = ("speed", "portable")  # what an Uno gets where it fits, and what every other board gets
BREAKING_OUT = 20  # one in so many of those on the board is one that nothing here can run


@dataclass(frozen=True)
class Wishes:
    """What was asked for, besides the kernels."""

    sample: int | None
    jobs: int
    on_board: int
    port: str | None
    selection: "Selection"


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
    """KernelAudit; see HELP."""
    from sinehil.jobs.selection import select
    from sinehil.model.arithmetic import arithmetic_of
    from sinehil_audit.mutants.mutants_report import lines
    from sinehil_audit.mutants.parallel_audit import document as document_of

    arithmetic_of(oracle)  # an unknown one is refused before anything is done
    if port is not None and not on_board:
        raise UsageError("--port is for mutants on a board", "add --on-board N")
    console = Console(as_json)
    selection = select(artifacts, model, oracle=oracle, fqbn=fqbn, build=build)
    loaded, modes = selection.model, [Mode.EXHAUSTIVE]
    if model is None:
        modes.append(Mode.TEST_SET)
    subjects = _subjects(selection, optimize or list(KERNELS), seed, modes)
    wishes = Wishes(sample, jobs or len(os.sched_getaffinity(0)), on_board, port, selection)
    found, kernels, failures = [], [], list[str]()
    for subject in subjects:
        audited = _audit(console, subject, wishes)
        board = _on_board(console, subject, wishes) if on_board else None
        found.append(audited)
        kernels.append(document_of(audited, board))
        failures += [*audited.survivors, *(board["disagreements"] if board else ())]
        console.say(f"\n{lines(kernels[-1])}")
    for line in failures:
        console.say(line, style="bold red")
    document = {"model_sha256": loaded.sha256, "oracle": oracle, "seed": seed, "kernels": kernels}
    if out is not None:
        _write(out, loaded, found, document)
        console.say(f"table, plot, and every outcome: {out}")
    console.result(document)
    return ExitCode.FAIL if failures else ExitCode.OK


def _subjects(selection: "Selection", kinds: list[str], seed: int, modes: list[Mode]) -> "Iterator[Subject]":
    """Yield each kernel with the inputs that ``verify`` would send; the first one's errors come at once."""
    from sinehil.jobs import verification as steps
    from sinehil_audit.mutants.kernel_audit import Subject
    from sinehil_kernels import generate_kernel

    loaded, oracle = selection.model, selection.oracle
    for kind in dict.fromkeys(kinds):
        kernel = generate_kernel(loaded, oracle, kind)
        inputs = [steps.probe_inputs(selection, mode, None, seed) for mode in modes]
        yield Subject(loaded, kernel, inputs[0], inputs[1] if len(inputs) > 1 else None, seed)


def _audit(console: Console, subject: "Subject", wishes: Wishes) -> "AuditedKernel":
    from sinehil_audit.mutants.parallel_audit import audit_shared

    with console.stage("mutants", with_eta=True) as stage:

        def show(done: int, total: int) -> None:
            stage.update(f"{subject.kernel.engine}: {done:,} of {total:,}", done / total)

        audited = audit_shared(subject, wishes.sample, wishes.jobs, show)
        total = audited.total
        stage.note = (
            f"{audited.engine}: {total.mutants:,} of {audited.mutants:,}, {total.visible:,} visible, of which the "
            f"exhaustive comparison notices {total.exhaustive:,}"
        )
    return audited


def _on_board(console: Console, subject: "Subject", wishes: Wishes) -> dict[str, Any]:
    """Run some mutants on a virtual Uno and hold each against its run in this process."""
    from sinehil_audit.mutants.kernel_audit import KernelAudit
    from sinehil_audit.mutants.on_board import drawn, endings, meet

    audit = KernelAudit(subject)
    with _bench(console, subject, wishes) as bench, console.stage("board", with_eta=True) as stage:
        numbers = drawn(audit, wishes.on_board, wishes.on_board // BREAKING_OUT)
        met = meet(
            audit,
            numbers,
            bench,
            lambda done: stage.update(f"{done} of {len(numbers)} mutants", done / len(numbers)),
        )
        comparable = [item for item in met if item.here is not None]
        agreeing = sum(item.agrees for item in comparable)
        stage.note = (
            f"{agreeing} of {len(comparable)} mutants end on the board as they do here, answer by answer"
        )
    wrong = [item for item in met if not item.agrees]
    return {
        "mutants": len(met),
        "comparable": len(comparable),
        "agreeing": agreeing,
        "endings": endings(met),
        "disagreements": [
            f"{item.number}, {item.kind}: {item.name} ends otherwise on the board" for item in wrong
        ],
    }


@contextlib.contextmanager
def _bench(console: Console, subject: "Subject", wishes: Wishes) -> "Iterator[MutantBoard]":
    from sinehil.arduino import upload
    from sinehil.jobs import firmware
    from sinehil.virtual import ControlClient, VirtualUno
    from sinehil_audit.mutants.on_board import MutantBoard

    kernel: GeneratedKernel = subject.kernel
    with contextlib.ExitStack() as stack:
        port = wishes.port
        if port is None:
            port = stack.enter_context(VirtualUno.start()).port
        control = ControlClient(Path(f"{port}.ctl"))
        if not control.answers():
            raise UsageError(
                f"{port} is not a virtual board's",
                "bits are flipped in simulated flash only: leave --port out",
            )
        built = firmware.compile_firmware(console, replace(wishes.selection, optimize=kernel.engine))

        def flash() -> None:
            upload(built.environment, built.firmware, port)

        flash()
        yield MutantBoard(port, control, built.firmware.elf, flash)


def _write(
    out: Path, loaded: "QuantizedModel", found: "list[AuditedKernel]", document: dict[str, Any]
) -> None:
    from sinehil.base.files import write_atomically
    from sinehil_audit.mutants.mutants_report import draw_mutants, markdown
    from sinehil_audit.mutants.parallel_audit import outcomes_text

    write_atomically(out / "mutants.md", markdown(document).encode())
    write_atomically(out / "mutants.png", draw_mutants(document, f"Mutants of {loaded.shape_text}, int8"))
    kernels = [
        {**kernel, "outcomes": outcomes_text(audited)}
        for kernel, audited in zip(document["kernels"], found, strict=True)
    ]
    text = json.dumps({**document, "kernels": kernels}, indent=1)
    write_atomically(out / "mutants.json", f"{text}\n".encode())
