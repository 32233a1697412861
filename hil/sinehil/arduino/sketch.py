"""Stage the sketch with its generated kernel in a folder of its own; the source tree is never written."""

from collections.abc import Mapping
from pathlib import Path

from sinehil.base.files import write_atomically
from sinehil.base.folders import resource
from sinehil.errors import ArtefactError, UsageError

SKETCH = "arduino_sketch"
STAGED = ".sinehil-staged"  # names what we put there, so that nothing else is ever removed


def stage_sketch(kernel: Mapping[str, str], out: Path) -> Path:
    """Return ``out/arduino_sketch``: the whole sketch with the kernel's files, given as name to text.

    Files that are already right keep their time stamps; those of an earlier staging that are no longer part of the
    sketch go, others in the folder stay.
    Raises UsageError if that folder is the sketch's own source, ArtefactError if it cannot be written.
    """
    source, folder = resource(SKETCH), out / SKETCH
    if folder.resolve() == source.resolve():
        raise UsageError(f"{folder} is the sketch's own source", "choose another folder: it is never written")
    wanted = {path.name: path.read_bytes() for path in sorted(source.iterdir()) if path.is_file()}
    wanted |= {name: text.encode() for name, text in kernel.items()}
    wanted[STAGED] = "".join(f"{name}\n" for name in sorted(wanted)).encode()
    try:
        _update(folder, wanted)
    except OSError as error:
        raise ArtefactError(
            f"cannot write the sketch to {folder}: {error.strerror}", "choose another folder"
        ) from error
    return folder


def _update(folder: Path, wanted: Mapping[str, bytes]) -> None:
    for name in _staged_before(folder) - wanted.keys():
        (folder / name).unlink(missing_ok=True)
    for name, content in wanted.items():
        path = folder / name
        if not path.is_file() or path.read_bytes() != content:
            write_atomically(path, content)


def _staged_before(folder: Path) -> set[str]:
    listing = folder / STAGED
    names = listing.read_text().split("\n") if listing.is_file() else []
    return {name for name in names if name and Path(name).name == name}
