"""Options that several commands share, so that they are named and explained once."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sinehil.board.trace import TraceFile

from sinehil.jobs import DEFAULT_ARTIFACTS as DEFAULT_ARTIFACTS
from sinehil.jobs import DEFAULT_BUILD as DEFAULT_BUILD
from sinehil.jobs import DEFAULT_FQBN as DEFAULT_FQBN
from sinehil.jobs import DEFAULT_ORACLE as DEFAULT_ORACLE

Artifacts = Annotated[
    Path, typer.Option("--artifacts", metavar="DIR", help="Folder that `sinehil train` filled.")
]
Model = Annotated[
    Path | None,
    typer.Option(
        "--model", metavar="X.tflite", help="Use this quantised .tflite instead of the artefact folder's."
    ),
]
_PORT = typer.Option(
    "--port",
    "-p",
    metavar="PORT",
    help="Serial port: /dev/ttyACM0, a virtual board's link, socket://host:port, rfc2217://host:port.",
)
Port = Annotated[str, _PORT]
OptionalPort = Annotated[str | None, _PORT]
Fqbn = Annotated[str, typer.Option("--fqbn", metavar="FQBN", help="The board's name for arduino-cli.")]
Oracle = Annotated[
    str,
    typer.Option(
        "--oracle",
        metavar="NAME",
        help="The interpreter to equal: litert (LiteRT as it comes), litert-ref (its reference kernels), tflm.",
    ),
]
Optimize = Annotated[
    str | None,
    typer.Option(
        "--optimize",
        metavar="KIND",
        help="The kernel: speed, size or table (AVR assembly), or portable (C for every board). "
        "Without it: speed if it fits, else size; portable where the board is no AVR.",
    ),
]
BuildDir = Annotated[
    Path, typer.Option("--build", metavar="DIR", help="Where sketches are staged and compiled.")
]
Trace = Annotated[
    Path | None,
    typer.Option(
        "--trace",
        metavar="FILE",
        help="Write each frame on the wire here, and what was dropped or sent again: as text, as JSON lines if the "
        "name ends in .jsonl, or to stderr if it is `-`.",
    ),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print exactly one JSON object on stdout; talk goes to stderr.")
]
RecipeName = Annotated[
    str | None,
    typer.Option("--recipe", metavar="NAME", help="book (the default), precise, or path/to/my.toml."),
]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override one key of the recipe. May be repeated."),
]
Data = Annotated[
    Path | None,
    typer.Option(
        "--data", metavar="X.csv", help="Learn from the columns x and y of this file (--set data.file)."
    ),
]


def open_trace(context: typer.Context, path: Path | None, start_s: float | None = None) -> "TraceFile | None":
    """Open the file of ``--trace`` until the command ends; raise UsageError if it cannot be written.

    ``start_s`` is when the line's clock started, if that is not now.
    """
    from sinehil.board.trace import opened_trace

    return context.with_resource(opened_trace(path, start_s))
