"""``sinehil compile``: a .tflite becomes a checked kernel and a firmware image."""

import typer

from sinehil.commands import options
from sinehil.console import Console


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("compile")(compile_)


def compile_(
    artifacts: options.Artifacts = options.DEFAULT_ARTIFACTS,
    model: options.Model = None,
    fqbn: options.Fqbn = options.DEFAULT_FQBN,
    oracle: options.Oracle = options.DEFAULT_ORACLE,
    build: options.BuildDir = options.DEFAULT_BUILD,
    as_json: options.AsJson = False,
) -> None:
    """Generate the kernel, prove it equal to the interpreter, and compile the sketch with arduino-cli."""
    from sinehil.commands import steps

    steps.check_oracle(oracle)
    console = Console(as_json)
    loaded = steps.load_model(artifacts, model)
    firmware = steps.compile_firmware(console, loaded, oracle, fqbn, build).firmware
    console.say(f"image: {firmware.hex}")
    console.result(
        {
            "flash_bytes": firmware.flash_bytes,
            "flash_max_bytes": firmware.flash_max_bytes,
            "ram_bytes": firmware.ram_bytes,
            "ram_max_bytes": firmware.ram_max_bytes,
            "engine": "generated",
            "oracle": oracle,
            "fqbn": fqbn,
            "model_sha256": loaded.sha256,
            "hex": str(firmware.hex),
        }
    )
