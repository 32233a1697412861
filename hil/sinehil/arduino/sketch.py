"""Staging: the sketch with its generated kernel, in a folder of its own; the source tree is never written."""

from pathlib import Path

from sinehil.errors import ArtefactError
from sinehil.files import write_atomically
from sinehil.resources import resource

SKETCH = "arduino_sketch"
KERNEL = "sinehil_kernel.c"


def stage_sketch(kernel_source: str, out: Path) -> Path:
    """Return ``out/arduino_sketch`` holding the whole sketch; files that are already right keep their time stamps."""
    folder = out / SKETCH
    wanted = {path.name: path.read_bytes() for path in sorted(resource(SKETCH).iterdir()) if path.is_file()}
    wanted[KERNEL] = kernel_source.encode()
    try:
        present = {path.name: path for path in folder.iterdir()} if folder.exists() else {}
        for name in present.keys() - wanted.keys():
            present[name].unlink()
        for name, content in wanted.items():
            if name not in present or present[name].read_bytes() != content:
                write_atomically(folder / name, content)
    except OSError as error:
        raise ArtefactError(
            f"cannot write the sketch to {folder}: {error}", "choose another folder"
        ) from error
    return folder
