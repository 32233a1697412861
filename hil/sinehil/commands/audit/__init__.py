"""``sinehil audit``: measure what verify detects: link faults, mutated kernels, a faulty port."""

import typer

from sinehil.commands.audit.link import audit_link
from sinehil.commands.audit.mutants import HELP, audit_mutants
from sinehil.commands.audit.proxy import audit_proxy


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(help="Measure what a PASS is worth.", rich_markup_mode=None, no_args_is_help=True)
    group.command("link")(audit_link)
    group.command("mutants", help=HELP)(audit_mutants)
    group.command("proxy")(audit_proxy)
    app.add_typer(group, name="audit")
