"""``sinehil ports``: what is attached, as arduino-cli sees it."""

import typer

from sinehil.base.console import Console
from sinehil.commands import options


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("ports")(ports)


def ports(as_json: options.AsJson = False) -> None:
    """List serial ports and running virtual boards."""
    from dataclasses import asdict

    from sinehil.arduino import list_ports, prepare_environment

    console = Console(as_json)
    found = list_ports(prepare_environment(console.say))
    for port in found:
        console.say(f"{port.address:40} {port.name or 'unknown board':20} {port.fqbn or ''}".rstrip())
    if not found:
        console.say("no port found: plug a board in, or start a virtual one with `sinehil virtual uno`")
    console.result({"ports": [asdict(port) for port in found]})
