"""``sinehil compile``: a .tflite becomes a checked kernel and a firmware image."""

from dataclasses import asdict
from typing import Annotated

import typer

from sinehil.base.console import Console
from sinehil.commands import options

ALL = "all"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("compile")(compile_)


def compile_(
    artifacts: options.Artifacts = options.DEFAULT_ARTIFACTS,
    model: options.Model = None,
    fqbn: options.Fqbn = options.DEFAULT_FQBN,
    optimize: options.Optimize = None,
    oracle: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="The interpreter to equal: litert (LiteRT as it comes), litert-ref (its reference kernels), tflm; or "
            "all: compile for litert, prove a kernel for each, and say how far the three are apart.",
        ),
    ] = options.DEFAULT_ORACLE,
    build: options.BuildDir = options.DEFAULT_BUILD,
    as_json: options.AsJson = False,
) -> None:
    """Generate the kernel, prove it equal to the interpreter, and compile the sketch with arduino-cli.

    Any int8 .tflite that is a chain of FULLY_CONNECTED layers (1 to 8 of them, 1 to 64 wide, weights per tensor or per
    channel, with or without bias, fused NONE, RELU or RELU6), TANH and LOGISTIC between or beside them, RESHAPE that
    changes nothing, and QUANTIZE and DEQUANTIZE at its ends. Anything else is refused with exit code 6.
    """
    from sinehil.jobs import firmware
    from sinehil.jobs.selection import select

    compare_all = oracle == ALL
    chosen = options.DEFAULT_ORACLE if compare_all else oracle
    console = Console(as_json)
    wanted = select(artifacts, model, oracle=chosen, optimize=optimize, fqbn=fqbn, build=build)
    built = firmware.compile_firmware(console, wanted)
    image, kernel = built.firmware, built.kernel
    differences = firmware.compare_oracles(console, wanted, built) if compare_all else []
    console.say(f"image: {image.hex}")
    document = {
        "flash_bytes": image.flash_bytes,
        "flash_max_bytes": image.flash_max_bytes,
        "ram_bytes": image.ram_bytes,
        "ram_max_bytes": image.ram_max_bytes,
        "engine": kernel.engine,
        "oracle": chosen,
        "fqbn": fqbn,
        "model_sha256": wanted.model.sha256,
        "hex": str(image.hex),
        "kernel": {
            "constant_bytes": kernel.constant_bytes,
            "figures": None if kernel.figures is None else asdict(kernel.figures),
            "proof": asdict(kernel.proof),
        },
    }
    if compare_all:
        document["oracle_differences"] = [asdict(item) for item in differences]
    console.result(document)
