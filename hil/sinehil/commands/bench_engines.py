"""``sinehil bench engines``: our kernels and others' for the same net, on one board in one run."""

import contextlib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from sinehil.base.console import Console
from sinehil.commands import options
from sinehil.errors import ArtefactError


def bench_engines(
    context: typer.Context,
    port: options.OptionalPort = None,
    artifacts: options.Artifacts = options.DEFAULT_ARTIFACTS,
    model: options.Model = None,
    fqbn: options.Fqbn = options.DEFAULT_FQBN,
    build: options.BuildDir = options.DEFAULT_BUILD,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write engines.md and engines.png here.")
    ] = None,
    trace: options.Trace = None,
    as_json: options.AsJson = False,
) -> None:
    """Build, flash and measure every kernel of ours, emlearn's float net and TFLite-style C, one after the other.

    Cycles by the board's own counter over all 256 codes; flash and RAM that each adds to the firmware; on how many
    codes it equals each interpreter. On a virtual Uno unless --port names a board.
    """
    from sinehil.arduino import prepare_environment
    from sinehil.base.files import write_atomically
    from sinehil.jobs.selection import select
    from sinehil.model.arithmetic import ORACLES
    from sinehil.model.interpreters import open_oracle
    from sinehil.verify.probes import all_codes
    from sinehil_audit.engines.engine_figures import Workbench, measure_engines
    from sinehil_audit.engines.engines_report import PUBLISHED, SOURCE, draw_engines, markdown
    from sinehil_audit.engines.peers import nothing, our_engines, peer_engines

    opened = options.open_trace(context, trace)
    console = Console(as_json)
    loaded = select(artifacts, model).model
    if (loaded.inputs, loaded.outputs) != (1, 1):
        raise ArtefactError(
            f"{loaded.name} has {loaded.inputs} inputs and {loaded.outputs} outputs",
            "engines are compared on a model with one input and one output, over all its 256 codes",
        )
    with console.stage("engines") as stage:
        ours = our_engines(loaded, options.DEFAULT_ORACLE)
        engines = [*ours, *peer_engines(loaded)]
        expected = {name: open_oracle(name, loaded).predict_codes(all_codes()) for name in ORACLES}
        environment = prepare_environment(lambda text: stage.update(text, None))
        with _board(port) as at:
            figures = measure_engines(
                Workbench(environment, fqbn, at, build, opened),
                engines,
                nothing(loaded),
                expected,
                lambda name, done: stage.update(name, done / len(engines)),
            )
        stage.note = f"{len(figures)} engines on {fqbn}, {'a virtual board' if port is None else port}"
    text = markdown(figures)
    console.say(f"\n{text}".rstrip())
    if out is not None:
        title = f"{loaded.shape_text}, int8, on {fqbn}"
        head = f"# {title}\nModel sha256 {loaded.sha256}. Written by `sinehil bench engines --out DIR`.\n\n"
        write_atomically(out / "engines.md", (head + text).encode())
        write_atomically(out / "engines.png", draw_engines(figures, [engine.name for engine in ours], title))
        console.say(f"\ntable and plot: {out}")
    console.result(
        {
            "model_sha256": loaded.sha256,
            "fqbn": fqbn,
            "port": port,
            "engines": [asdict(item) for item in figures],
            "published": {"source": SOURCE, "figures": [asdict(item) for item in PUBLISHED]},
        }
    )


@contextlib.contextmanager
def _board(port: str | None) -> Iterator[str]:
    from sinehil.virtual import VirtualUno

    if port is not None:
        yield port
    else:
        with VirtualUno.start() as board:
            yield board.port
