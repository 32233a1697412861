"""``sinehil verify``: hold a board against the interpreter."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sinehil.commands import options
from sinehil.console import Console
from sinehil.errors import ExitCode, UsageError
from sinehil.verify.mode import Mode, Verdict

if TYPE_CHECKING:
    from sinehil.targets import Target
    from sinehil.verify.run import Sample

MAX_SAMPLES = 100_000


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("verify")(verify)


def verify(
    port: options.Port,
    mode: Annotated[Mode, typer.Option(help="Which inputs are compared.")] = Mode.EXHAUSTIVE,
    samples: Annotated[
        int, typer.Option(min=1, max=MAX_SAMPLES, help="How many x `--mode samples` streams.")
    ] = 20,
    report: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write report.html, report.json and junit.xml here.")
    ] = None,
    artifacts: options.Artifacts = options.DEFAULT_ARTIFACTS,
    model: options.Model = None,
    fqbn: options.Fqbn = options.DEFAULT_FQBN,
    oracle: options.Oracle = options.DEFAULT_ORACLE,
    build: options.BuildDir = options.DEFAULT_BUILD,
    as_json: options.AsJson = False,
) -> int:
    """Check the board's identity, then compare its outputs bit for bit with the interpreter's.

    exhaustive: every int8 code and both float neighbours of every quantiser step, which decides y for every x.
    test-set: the 200 test samples. samples: evenly spaced x, one at a time, shown as they come.
    """
    from sinehil.commands import steps
    from sinehil.report import result_json, write_report

    steps.check_oracle(oracle)
    console = Console(as_json)
    if mode is Mode.TEST_SET and model is not None:
        raise UsageError("--mode test-set needs the artefact folder's own model", "leave --model out")
    loaded = steps.load_model(artifacts, model)
    aim = steps.load_aim(artifacts, model, loaded)
    inputs = steps.probe_inputs(mode, samples, loaded, aim, artifacts)
    on_sample = _printer(console, aim.target) if mode is Mode.SAMPLES else None
    folder = steps.build_folder(build, fqbn, loaded, oracle)
    result = steps.verify_port(port, steps.expectation(loaded, oracle), inputs, folder, on_sample)
    steps.say_summary(console, result)
    if report is not None:
        console.say(f"report: {write_report(result, report)}")
    console.result(result_json(result))
    return ExitCode.OK if result.verdict is Verdict.PASS else ExitCode.FAIL


def _printer(console: Console, target: "Target | None") -> Callable[["Sample"], None]:
    import numpy as np

    heading = f"{'x':>10} {'device y':>12} {'interpreter':>12}"
    console.say(heading if target is None else f"{heading} {target.plain:>12} {'y - ' + target.plain:>16}")

    def show(sample: "Sample") -> None:
        line = f"{sample.x:10.6f} {sample.device_y:12.8f} {sample.oracle_y:12.8f}"
        if target is not None:
            wanted = float(target.function(np.array(sample.x)))
            line += f" {wanted:12.6f} {sample.device_y - wanted:+16.6f}"
        console.say(line if sample.equal else f"{line}  DIFFERS")

    return show
