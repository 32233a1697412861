"""Writing that leaves earlier files whole: beside first, then renamed."""

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sinehil.errors import ArtefactError


def sha256_of(path: Path) -> str:
    """Return the lower-case hex SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_atomically(path: Path, data: bytes) -> None:
    """Write ``data`` beside ``path`` and rename it into place; raise ArtefactError if it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _named_beside(path) as beside:
            beside.write_bytes(data)
            beside.replace(path)
    except OSError as error:
        raise cannot_write(path, error) from error


@contextlib.contextmanager
def _named_beside(path: Path) -> Iterator[Path]:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(handle)
    beside = Path(name)
    beside.chmod(0o644)
    try:
        yield beside
    finally:
        beside.unlink(missing_ok=True)


def cannot_write(path: Path, error: OSError) -> ArtefactError:
    """Return the error for a place that cannot be written."""
    return ArtefactError(
        f"cannot write {path}: {error.strerror or error}",
        "free some space or choose another folder; files from an earlier run are untouched",
    )
