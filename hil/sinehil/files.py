"""Writing that leaves earlier files whole: beside first, then renamed."""

import contextlib
import hashlib
import os
import shutil
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
        raise _cannot_write(path, error) from error


@contextlib.contextmanager
def staged_folder(target: Path, last: str) -> Iterator[Path]:
    """Yield an empty folder inside ``target``; on success move its files into place, ``last`` as the last one.

    The staging folder is inside ``target`` so that renames stay on one file system even when ``target`` is a
    mount point. On any exception, Ctrl-C included, ``target`` keeps the files it had.
    """
    try:
        target.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".staging-", dir=target))
    except OSError as error:
        raise _cannot_write(target, error) from error
    try:
        yield staging
        _publish(staging, target, last)
    except OSError as error:
        raise _cannot_write(target, error) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _publish(staging: Path, target: Path, last: str) -> None:
    files = [path for path in sorted(staging.rglob("*")) if path.is_file()]
    for source in sorted(files, key=lambda path: path.name == last):
        destination = target / source.relative_to(staging)
        destination.parent.mkdir(parents=True, exist_ok=True)
        source.replace(destination)


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


def _cannot_write(path: Path, error: OSError) -> ArtefactError:
    return ArtefactError(
        f"cannot write {path}: {error.strerror or error}",
        "free some space or choose another folder; files from an earlier run are untouched",
    )
