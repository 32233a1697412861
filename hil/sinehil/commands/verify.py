"""``sinehil verify``: hold a board against the interpreter."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sinehil.base.console import Console
from sinehil.commands import options
from sinehil.errors import ExitCode, UsageError
from sinehil.verify import DEFAULT_SEED, Mode, Verdict

if TYPE_CHECKING:
    from sinehil.model.arrays import Float32s
    from sinehil.model.targets import Target
    from sinehil.model.tflite import QuantizedModel
    from sinehil.verify.comparison import Sample

MAX_SAMPLES = 100_000
SHOWN_VALUES = 4


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("verify")(verify)


def verify(
    context: typer.Context,
    port: options.Port,
    mode: Annotated[Mode, typer.Option(help="Which inputs are compared.")] = Mode.EXHAUSTIVE,
    samples: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=MAX_SAMPLES,
            help="How many samples: of `--mode samples` (20), or of a model with several inputs (10000 or more).",
        ),
    ] = None,
    seed: Annotated[
        int, typer.Option(min=0, help="What the samples for a model with several inputs are drawn from.")
    ] = DEFAULT_SEED,
    report: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write report.html, report.json and junit.xml here.")
    ] = None,
    artifacts: options.Artifacts = options.DEFAULT_ARTIFACTS,
    model: options.Model = None,
    fqbn: options.Fqbn = options.DEFAULT_FQBN,
    oracle: options.Oracle = options.DEFAULT_ORACLE,
    build: options.BuildDir = options.DEFAULT_BUILD,
    trace: options.Trace = None,
    as_json: options.AsJson = False,
) -> int:
    """Check the board's identity, then compare its outputs bit for bit with the interpreter's.

    exhaustive: every int8 code and both float neighbours of every quantiser step, which decides y for every x; of a
    model with several inputs, seeded samples with corners, and the steps. test-set: the 200 test samples. samples:
    evenly spaced x, of several inputs random ones, one at a time, shown as they come.
    """
    from sinehil.jobs import verification as steps
    from sinehil.jobs.selection import select
    from sinehil.report import result_json, write_report

    if mode is Mode.TEST_SET and model is not None:
        raise UsageError("--mode test-set needs the artefact folder's own model", "leave --model out")
    opened = options.open_trace(context, trace)
    console = Console(as_json)
    selection = select(artifacts, model, oracle=oracle, fqbn=fqbn, build=build)
    inputs = steps.probe_inputs(selection, mode, samples, seed)
    if mode is Mode.SAMPLES:
        show = _printer(console, selection.model, selection.aim.target)
        result = steps.verify_flashed(port, selection, inputs, on_sample=show, trace=opened)
    else:
        with console.stage("verify", with_eta=selection.model.inputs > 1) as stage:
            progress = steps.shown_progress(stage, inputs.samples)
            result = steps.verify_flashed(port, selection, inputs, progress=progress, trace=opened)
            stage.note = f"{result.compared} compared, {result.mismatches} mismatches"
    steps.say_summary(console, result)
    if report is not None:
        console.say(f"report: {write_report(result, report)}")
    console.result(result_json(result))
    return ExitCode.OK if result.verdict is Verdict.PASS else ExitCode.FAIL


def _printer(
    console: Console, model: "QuantizedModel", target: "Target | None"
) -> Callable[["Sample"], None]:
    if (model.inputs, model.outputs) != (1, 1):
        return _wide_printer(console, model)
    import numpy as np

    heading = f"{'x':>10} {'device y':>12} {'interpreter':>12}"
    console.say(heading if target is None else f"{heading} {target.plain:>12} {'y - ' + target.plain:>16}")

    def show(sample: "Sample") -> None:
        x, device_y, oracle_y = sample.x[0], sample.device_y[0], sample.oracle_y[0]
        line = f"{x:10.6f} {device_y:12.8f} {oracle_y:12.8f}"
        if target is not None:
            wanted = float(target.function(np.array(float(x))))
            line += f" {wanted:12.6f} {device_y - wanted:+16.6f}"
        console.say(line if sample.equal else f"{line}  DIFFERS")

    return show


def _wide_printer(console: Console, model: "QuantizedModel") -> Callable[["Sample"], None]:
    """Show the first values of each sample; where an output differs, the first one that does."""
    console.say(f"samples of {model.inputs} x and {model.outputs} y, the first {SHOWN_VALUES} of each:")

    def show(sample: "Sample") -> None:
        line = f"x {_first(sample.x)}  device y {_first(sample.device_y)}"
        for output, (device_y, oracle_y) in enumerate(zip(sample.device_y, sample.oracle_y, strict=True)):
            if device_y.tobytes() != oracle_y.tobytes():
                line += f"  DIFFERS: output {output} is {device_y:.8g}, interpreter {oracle_y:.8g}"
                break
        console.say(line)

    return show


def _first(values: "Float32s") -> str:
    return " ".join(f"{value:.6g}" for value in values[:SHOWN_VALUES])
