"""Compiling a staged sketch with arduino-cli."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sinehil.arduino.environment import ArduinoEnvironment
from sinehil.arduino.process import run, tail
from sinehil.errors import ToolError


@dataclass(frozen=True)
class Firmware:
    """A compiled image and what it takes of the board."""

    hex: Path
    elf: Path
    fqbn: str
    flash_bytes: int
    flash_max_bytes: int
    ram_bytes: int
    ram_max_bytes: int


def compile_sketch(environment: ArduinoEnvironment, sketch: Path, fqbn: str, build_dir: Path) -> Firmware:
    """Compile into ``build_dir``; ToolError with the compiler's own words if it fails."""
    command = [
        environment.program,
        "compile",
        "--json",
        "--fqbn",
        fqbn,
        "--build-path",
        build_dir.resolve(),
        sketch,
    ]
    done = run(command, env=environment.environ())
    document = _parse(done.stdout)
    if done.code != 0 or "builder_result" not in document:
        raise _failure(sketch, fqbn, document, done.stderr)
    sizes = {item["name"]: item for item in document["builder_result"]["executable_sections_size"]}
    name = f"{sketch.name}.ino"
    return Firmware(
        hex=build_dir / f"{name}.hex",
        elf=build_dir / f"{name}.elf",
        fqbn=fqbn,
        flash_bytes=int(sizes["text"]["size"]),
        flash_max_bytes=int(sizes["text"]["max_size"]),
        ram_bytes=int(sizes["data"]["size"]),
        ram_max_bytes=int(sizes["data"]["max_size"]),
    )


def _parse(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _failure(sketch: Path, fqbn: str, document: dict[str, Any], stderr: str) -> ToolError:
    words = document.get("compiler_err") or document.get("error") or _parse(stderr).get("error") or stderr
    lines = str(words).splitlines()
    errors = [line for line in lines if " error: " in line or "undefined reference" in line]
    if "Platform" in str(words) and "not" in str(words):
        return ToolError(
            f"arduino-cli knows no board {fqbn}", "see `sinehil compile --help`", output=tail(str(words))
        )
    return ToolError(
        f"the sketch in {sketch} does not compile for {fqbn}",
        "mend what the compiler says above; a generated kernel that does not compile is a bug of sinehil",
        output="\n".join(errors) or tail(str(words)),
    )
