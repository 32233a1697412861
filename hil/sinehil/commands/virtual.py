"""``sinehil virtual uno``: run a virtual Uno in the foreground and print its port."""

from pathlib import Path
from typing import Annotated

import typer

from sinehil.base.console import Console
from sinehil.commands import options


def register(app: typer.Typer) -> None:
    """Add the command group."""
    group = typer.Typer(help="Virtual boards: the real firmware on a simulated chip.", rich_markup_mode=None)
    group.callback()(_group)
    group.command("uno")(uno)
    app.add_typer(group, name="virtual")


def _group() -> None:
    """Virtual boards: the real firmware on a simulated chip, behind a port like any other."""


def uno(
    link: Annotated[Path | None, typer.Option(metavar="PATH", help="Where the port appears.")] = None,
    flash: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keep the board's flash here between runs.")
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Run a virtual Uno (ATmega328P with Optiboot) in the foreground until Ctrl-C."""
    from sinehil.virtual import VirtualUno

    console = Console(as_json)
    with VirtualUno.start(link=link, flash_image=flash) as board:
        try:  # from the first word on: whoever reads it may end the board at once
            console.say(f"virtual Uno on {board.port} (Ctrl-C ends it)")
            console.say(f"  next: sinehil flash --port {board.port}")
            console.result({"port": board.port, "control": str(board.control.path)})
            board.wait()
        except KeyboardInterrupt:  # Ctrl-C or SIGTERM is how this command ends
            console.say("virtual Uno ended")
