"""Talk, one line per stage, progress bars, and the one JSON object of --json."""

import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sinehil.base.untrusted_text import visible, visible_lines


@dataclass
class Stage:
    """A piece of work under way. ``note`` is printed behind its time when it ends."""

    update: Callable[[str, float | None], None]
    note: str = ""


class Console:
    """Talk goes to stdout, with ``--json`` to stderr so that stdout carries the object alone.

    Bars appear only on a terminal; colours also where FORCE_COLOR asks for them, as Jupyter's kernel does.
    """

    def __init__(self, json_output: bool = False) -> None:
        self.json_output = json_output
        from rich.console import Console as RichConsole

        self._talk = RichConsole(stderr=json_output, highlight=False, soft_wrap=True)

    def say(self, text: str = "", style: str = "") -> None:
        """Print one line, with what would move a cursor or hide something spelled out."""
        from rich.text import Text

        self._talk.print(Text(visible_lines(text), style=style))

    def result(self, document: Mapping[str, Any]) -> None:
        """With ``--json``, print the command's one object."""
        if self.json_output:
            json.dump(document, sys.stdout, indent=1, allow_nan=False)
            sys.stdout.write("\n")
            sys.stdout.flush()  # a command that stays in the foreground is read by scripts through a pipe

    @contextlib.contextmanager
    def stage(self, name: str, with_eta: bool = False) -> Iterator[Stage]:
        """Show that ``name`` is under way; at its end print one line with its time and note."""
        from rich.markup import escape
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

        started = time.monotonic()
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[detail]}"),
            *([TimeRemainingColumn(), TextColumn("left")] if with_eta else []),
        )
        with Progress(
            *columns, console=self._talk, transient=True, disable=not self._talk.file.isatty()
        ) as bar:
            task = bar.add_task(escape(visible(name)), total=None, detail="")

            def update(detail: str, fraction: float | None = None) -> None:
                total = None if fraction is None else 1.0
                bar.update(task, detail=escape(visible(detail)), completed=fraction or 0.0, total=total)

            stage = Stage(update)
            yield stage
        self.say(f"{name:<10}{time.monotonic() - started:7.1f} s  {stage.note}".rstrip())
