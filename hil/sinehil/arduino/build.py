"""Compiling a staged sketch with arduino-cli."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sinehil.arduino.environment import ArduinoEnvironment
from sinehil.arduino.process import OUTPUT_LINES, json_object, run, tail
from sinehil.errors import SinehilError, ToolError, UsageError
from sinehil.files import write_atomically

UNKNOWN_BOARD = (
    "Invalid FQBN",
    "Missing FQBN",
    "Unknown FQBN",
    "platform not installed",
    "not found in any known index",
)
TOO_BIG = re.compile(r"will not fit in region|region .* overflowed|not within region|exceeds available space")
ERROR_LINE = re.compile(r"^[^ :]+:\d+(:\d+)?: (fatal )?error: |undefined reference|^[^ :]*ld: ")


@dataclass(frozen=True)
class Firmware:
    """A compiled image and what it takes of the board; ``upload_protocol`` is avrdude's word (``arduino``, ...)."""

    hex: Path
    elf: Path
    fqbn: str
    flash_bytes: int
    flash_max_bytes: int
    ram_bytes: int
    ram_max_bytes: int
    upload_protocol: str = ""


def compile_sketch(environment: ArduinoEnvironment, sketch: Path, fqbn: str, build_dir: Path) -> Firmware:
    """Compile into ``build_dir``; when nothing changed it takes a third of a second.

    Whatever an earlier call that did not come to its end has left there is compiled anew: a compiler that was killed
    leaves an object file that is empty and newer than its source, and arduino-cli takes it for finished.

    Raises ToolError with the compiler's own words if it fails, UsageError if arduino-cli knows no board ``fqbn``,
    ArtefactError if nothing can be written beside ``build_dir``.
    """
    mark = unfinished_mark(build_dir)
    options: list[str | Path] = ["--json", "--fqbn", fqbn, "--build-path", build_dir.resolve()]
    options += ["--clean"] if mark.exists() else []
    write_atomically(mark, b"")
    done = run([environment.program, "compile", *options, sketch], env=environment.environ())
    document = json_object(done.stdout)
    if done.code != 0 or not document.get("builder_result"):
        raise compile_failure(sketch, fqbn, _words(document, done.stderr))
    mark.unlink(missing_ok=True)
    return _firmware(document["builder_result"], sketch, fqbn, build_dir)


def unfinished_mark(build_dir: Path) -> Path:
    """Return the file that is there from the beginning of a compilation until its good end."""
    return build_dir.with_name(f"{build_dir.name}.unfinished")


def compile_failure(sketch: Path, fqbn: str, words: str) -> SinehilError:
    """Return the error that fits the words of arduino-cli or the compiler."""
    if is_unknown_board(words):
        return unknown_board(fqbn)
    if TOO_BIG.search(words):
        return ToolError(
            f"the firmware does not fit on {fqbn}",
            "use a smaller model or a larger board",
            output=tail(words),
        )
    return ToolError(
        f"the sketch in {sketch} does not compile for {fqbn}",
        "mend what the compiler says; a generated kernel that does not compile is a bug of sinehil",
        output="\n".join(errors_first(words.splitlines())[:OUTPUT_LINES]),
    )


def is_unknown_board(words: str) -> bool:
    """Return whether arduino-cli says that it does not know the board."""
    return any(text in words for text in UNKNOWN_BOARD)


def unknown_board(fqbn: str) -> UsageError:
    """Return the error for that."""
    return UsageError(
        f"arduino-cli knows no board {fqbn!r}", "name one of the installed core, such as arduino:avr:uno"
    )


def errors_first(lines: Sequence[str]) -> list[str]:
    """Return the lines that say what is wrong and where, then the others."""
    errors = [line for line in lines if ERROR_LINE.search(line)]
    return errors + [line for line in lines if not ERROR_LINE.search(line)]


def _firmware(result: Mapping[str, Any], sketch: Path, fqbn: str, build_dir: Path) -> Firmware:
    sizes = {item["name"]: item for item in result["executable_sections_size"]}
    properties = dict(line.split("=", 1) for line in result["build_properties"])
    return Firmware(
        hex=build_dir / f"{sketch.name}.ino.hex",
        elf=build_dir / f"{sketch.name}.ino.elf",
        fqbn=fqbn,
        flash_bytes=int(sizes["text"]["size"]),
        flash_max_bytes=int(sizes["text"]["max_size"]),
        ram_bytes=int(sizes["data"]["size"]),
        ram_max_bytes=int(sizes["data"]["max_size"]),
        upload_protocol=properties.get("upload.protocol", ""),
    )


def _words(document: Mapping[str, Any], stderr: str) -> str:
    """Return what was said: the compiler's words, else arduino-cli's, which may be JSON on stderr."""
    return str(
        document.get("compiler_err") or document.get("error") or json_object(stderr).get("error") or stderr
    )
