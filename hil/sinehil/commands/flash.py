"""``sinehil flash``: compile if needed, upload through the board's bootloader."""

import typer

from sinehil.base.console import Console
from sinehil.commands import options


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("flash")(flash)


def flash(
    port: options.Port,
    artifacts: options.Artifacts = options.DEFAULT_ARTIFACTS,
    model: options.Model = None,
    fqbn: options.Fqbn = options.DEFAULT_FQBN,
    optimize: options.Optimize = None,
    oracle: options.Oracle = options.DEFAULT_ORACLE,
    build: options.BuildDir = options.DEFAULT_BUILD,
    as_json: options.AsJson = False,
) -> None:
    """Compile the sketch if needed and upload it to the board on PORT."""
    from sinehil.arduino import upload
    from sinehil.board.transport import check_port
    from sinehil.jobs import firmware
    from sinehil.jobs.selection import select
    from sinehil.model.arithmetic import arithmetic_of

    arithmetic_of(oracle)  # an unknown one is refused before the port is opened
    check_port(port)
    console = Console(as_json)
    selection = select(artifacts, model, oracle=oracle, optimize=optimize, fqbn=fqbn, build=build)
    built = firmware.compile_firmware(console, selection)
    image = built.firmware
    with console.stage("flash") as stage:
        now = upload(built.environment, image, port)
        stage.note = f"{image.flash_bytes} bytes written and read back on {port}"
    if now != port:
        console.say(f"the board is on {now} now")
    console.result(
        {
            "port": now,
            "requested_port": port,
            "hex": str(image.hex),
            "flash_bytes": image.flash_bytes,
            "fqbn": fqbn,
            "engine": built.kernel.engine,
        }
    )
