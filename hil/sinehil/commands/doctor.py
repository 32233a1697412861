"""``sinehil doctor``: which tools are here, and how to get the missing ones."""

import typer

from sinehil.base.console import Console
from sinehil.commands import options
from sinehil.errors import ExitCode


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor)


def doctor(as_json: options.AsJson = False) -> int:
    """Check every tool the work needs; exit 5 if one is missing."""
    from dataclasses import asdict

    from sinehil.jobs.tool_check import check_tools

    console = Console(as_json)
    tools = check_tools()
    for tool in tools:
        console.say(f"{'ok' if tool.found else 'MISSING':8}{tool.name:22}{tool.version}".rstrip())
        if not tool.found:
            console.say(f"        {tool.hint}")
    document = {"ok": all(tool.found for tool in tools), "tools": [asdict(tool) for tool in tools]}
    for entry in document["tools"]:  # type: ignore[attr-defined]
        entry["path"] = None if entry["path"] is None else str(entry["path"])
    console.result(document)
    return ExitCode.OK if document["ok"] else ExitCode.TOOL
