"""Renew the Go modules that pin programs, arduino-cli and audit: ``python -m supply.lock_go [--upgrade]``.

Without ``--upgrade`` only what does not fit any more changes. Needs the package sinehil beside it.
"""

import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from sinehil.arduino.golang import Go, go_for_build
from sinehil.base.tools import run, tail
from sinehil.errors import ToolError

FOLDER = Path(__file__).resolve().parent.parent
TOOLS = {  # a path without /v2 means: the newest of major version 1
    "arduino-cli": "github.com/arduino/arduino-cli",
    "audit": "golang.org/x/vuln/cmd/govulncheck",
}
VARIABLES = {"GOFLAGS": "-modcacherw", "GOTOOLCHAIN": "local", "GOWORK": "off"}
REPLACE = re.compile(r"^(?:replace )?\s*(\S+(?: v\S+)? => \S+ v\S+)$", re.MULTILINE)


def renew(folder: Path, tool: str, go: Go, upgrade: bool) -> None:
    """Bring go.mod and go.sum of ``folder`` in order, with the newest ``tool`` if ``upgrade``; raise ToolError."""
    if upgrade:
        _run(go, folder, "get", "-tool", f"{tool}@latest")
    _run(go, folder, "mod", "tidy")


def replacements(text: str) -> set[str]:
    """Return the replace directives of a go.mod."""
    return set(REPLACE.findall(text))


def check_replacements(folder: Path, go: Go) -> None:
    """Raise ToolError if arduino-cli replaces other modules than we do: Go heeds only the main module's own."""
    theirs = Path(_run(go, folder, "list", "-m", "-f", "{{.GoMod}}", TOOLS["arduino-cli"]).strip())
    expected, ours = replacements(theirs.read_text()), replacements((folder / "go.mod").read_text())
    if expected != ours:
        raise ToolError(
            "arduino-cli replaces other modules than our go.mod does", f"put there: {sorted(expected)}"
        )


def _run(go: Go, folder: Path, *arguments: str) -> str:
    done = run([go.program, *arguments], env={**os.environ, **go.variables, **VARIABLES}, cwd=folder)
    if done.code != 0:
        what = f"`go {' '.join(arguments)}` failed in {folder}"
        raise ToolError(
            what, "check the network (or GOPROXY); this lock stays as it was", tail(done.stderr, 5)
        )
    return done.stdout


def main(arguments: Sequence[str]) -> int:
    """Renew both modules; return 0, or an exit code after saying which lock could not be renewed."""
    code = 0
    with go_for_build(_say) as go:
        for name, tool in TOOLS.items():
            try:
                renew(FOLDER / name, tool, go, "--upgrade" in arguments)
                if name == "arduino-cli":
                    check_replacements(FOLDER / name, go)
            except ToolError as error:
                _say(f"sinehil: {error}\n  next: {error.next_step}\n{error.output}")
                code = int(error.exit_code)
    return code


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
