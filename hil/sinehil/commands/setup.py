"""``sinehil setup``: builds now what is else built on first use."""

import typer

from sinehil.base.console import Console
from sinehil.commands import options


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("setup")(setup)


def setup(as_json: options.AsJson = False) -> None:
    """Build arduino-cli, the virtual board and its bootloader now, so that no later command needs the network."""
    from sinehil.arduino import prepare_environment
    from sinehil.virtual.programs import build_optiboot, build_virtual_board

    console = Console(as_json)
    with console.stage("arduino") as stage:
        environment = prepare_environment(lambda text: stage.update(text, None))
        stage.note = str(environment.program)
    with console.stage("board") as stage:
        program, bootloader = build_virtual_board(), build_optiboot()
        stage.note = str(program)
    console.result(
        {
            "arduino_cli": str(environment.program),
            "virtual_board": str(program),
            "bootloader": str(bootloader),
        }
    )
