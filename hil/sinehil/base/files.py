"""Bounded reads of untrusted paths, and atomic writes."""

import contextlib
import errno
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path

from sinehil.errors import ArtefactError

# A pipe that nobody writes to would keep open() waiting for ever, and a terminal could become ours.
READ_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


def sha256_of(path: Path) -> str:
    """Return the lower-case hex SHA-256 of a file."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def open_regular(path: Path) -> BufferedReader:
    """Open a file for reading; raise OSError if it cannot be, or if it is a pipe, a device or a folder."""
    descriptor = os.open(path, READ_FLAGS)
    mode = os.fstat(descriptor).st_mode  # of what is open: the name may lead elsewhere by now
    if stat.S_ISREG(mode):
        return open(descriptor, "rb")  # noqa: PTH123 - a descriptor
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise OSError(errno.EINVAL, "it is a pipe or a device, not a file", str(path))


def bounded_bytes(path: Path, limit_bytes: int) -> bytes | None:
    """Return a file's content, or None if it is longer than the limit; raise ArtefactError if it cannot be read."""
    try:
        with open_regular(path) as file:
            content = file.read(limit_bytes + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ArtefactError(f"{path} cannot be read: {reason}", "check the path") from error
    return content if len(content) <= limit_bytes else None


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
