"""Compile a staged sketch with arduino-cli."""

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sinehil.arduino.environment import ArduinoEnvironment
from sinehil.base.files import write_atomically
from sinehil.base.tools import OUTPUT_LINES, Finished, json_object, run
from sinehil.errors import ArtefactError, SinehilError, ToolError, UsageError

UNKNOWN_BOARD = (
    "Invalid FQBN",
    "Missing FQBN",
    "Unknown FQBN",
    "platform not installed",
    "not found in any known index",
)
TOO_BIG = re.compile(
    r"will not fit in region|region .* overflowed|not within region"  # the linker's words
    r"|exceeds available space|Sketch too big|Not enough memory"  # arduino-cli's
)
# With these the linker and arduino-cli let everything through that the processor's addresses reach, to be measured.
NO_LIMITS = (
    "compiler.c.elf.extra_flags=-Wl,--defsym=__TEXT_REGION_LENGTH__=0x700000,--defsym=__DATA_REGION_LENGTH__=0xf000",
    "upload.maximum_size=7340032",
    "upload.maximum_data_size=61440",
)
SIZES = "executable_sections_size"
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
    ArtefactError if the board is too small, with the bytes needed, or if nothing can be written beside ``build_dir``.
    """
    mark = unfinished_mark(build_dir)
    options = ["--clean"] if mark.exists() else []
    write_atomically(mark, b"")
    done = _run(environment, sketch, fqbn, build_dir, options)
    document = json_object(done.stdout)
    if done.code != 0 or not document.get("builder_result"):
        words = _words(document, done.stderr)
        if TOO_BIG.search(words):
            raise too_big(fqbn, words, document, _measured(environment, sketch, fqbn))
        raise compile_failure(sketch, fqbn, words)
    mark.unlink(missing_ok=True)
    return _firmware(document["builder_result"], sketch, fqbn, build_dir)


def _run(
    environment: ArduinoEnvironment, sketch: Path, fqbn: str, build_dir: Path, options: Sequence[str]
) -> Finished:
    command: list[str | Path] = ["--json", "--fqbn", fqbn, "--build-path", build_dir.resolve(), *options]
    return run([environment.program, "compile", *command, sketch], env=environment.environ())


def _measured(environment: ArduinoEnvironment, sketch: Path, fqbn: str) -> Firmware | None:
    """Return what a sketch takes that is too big, or None: the linker often says only that it is, without a number.

    Compiled where it is gone at once, so that nobody can upload it.
    """
    options = [word for limit in NO_LIMITS for word in ("--build-property", limit)]
    with tempfile.TemporaryDirectory(prefix="sinehil-") as folder:
        result = json_object(_run(environment, sketch, fqbn, Path(folder), options).stdout).get(
            "builder_result"
        )
        return _firmware(result, sketch, fqbn, Path(folder)) if result and SIZES in result else None


def unfinished_mark(build_dir: Path) -> Path:
    """Return the file that is there from the beginning of a compilation until its good end."""
    return build_dir.with_name(f"{build_dir.name}.unfinished")


def compile_failure(sketch: Path, fqbn: str, words: str) -> SinehilError:
    """Return the error that fits the words of arduino-cli or the compiler."""
    if is_unknown_board(words):
        return unknown_board(fqbn)
    return ToolError(
        f"the sketch in {sketch} does not compile for {fqbn}",
        "mend what the compiler says; a generated kernel that does not compile is a bug of sinehil",
        output="\n".join(errors_first(words.splitlines())[:OUTPUT_LINES]),
    )


def too_big(fqbn: str, words: str, document: Mapping[str, Any], needed: Firmware | None) -> ArtefactError:
    """Return the error for a board that is too small, with the bytes ``needed``, else with the linker's words."""
    properties = _properties(document.get("builder_result") or {})
    flash, ram = (properties.get(f"upload.maximum_{kind}size", "0") for kind in ("", "data_"))
    if needed is None:
        line = next(line for line in words.splitlines() if TOO_BIG.search(line))
        takes = f"it may take {flash} bytes flash and {ram} bytes RAM, and the linker says {line.strip()!r}"
    else:
        takes = (
            f"it takes {needed.flash_bytes} of {flash} bytes flash and {needed.ram_bytes} of {ram} bytes RAM"
        )
    return ArtefactError(
        f"the firmware does not fit on {fqbn}: {takes}", "use a smaller model or a larger board"
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
    sizes = {item["name"]: item for item in result[SIZES]}
    properties = _properties(result)
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


def _properties(result: Mapping[str, Any]) -> dict[str, str]:
    return dict(line.split("=", 1) for line in result.get("build_properties") or ())


def _words(document: Mapping[str, Any], stderr: str) -> str:
    """Return what was said: the compiler's words, else arduino-cli's, which may be JSON on stderr."""
    return str(
        document.get("compiler_err") or document.get("error") or json_object(stderr).get("error") or stderr
    )
