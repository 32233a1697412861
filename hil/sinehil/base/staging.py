"""Replace many files as one: all new, or all as they were, whatever ends the process.

What happens does so inside the target folder, so that renames stay on one file system even if that is a mount point:

    .staging-XXXX/new/  what is being made
    .staging-XXXX/plan  its names, written before anything moves
    .staging-XXXX/old/  what stood in their places

As long as the plan's last file is in ``new``, every step can be taken back; when it has left, the new files count. A
reader that believes only what the last file describes (a manifest) meets the old set, the new one, or no manifest.
Who works holds a lock on his staging folder; one that nobody holds was left by a process that was killed, and the
next run takes its steps back and removes it.
"""

import contextlib
import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from sinehil.base.files import bounded_bytes, cannot_write, write_atomically
from sinehil.errors import ArtefactError

PREFIX = ".staging-"
NEW, OLD, PLAN = "new", "old", "plan"
MAX_PLAN_BYTES = 1 << 20


@contextlib.contextmanager
def staged_folder(target: Path, last: str) -> Iterator[Path]:
    """Yield an empty folder; on success its files take their places in ``target``, ``last`` as the last one.

    On any exception, Ctrl-C included, ``target`` keeps the files it had; raises ArtefactError if it cannot be written.
    """
    try:
        target.mkdir(parents=True, exist_ok=True)
        with _alone_in(target):
            staging, lock = _begin(target)
    except OSError as error:
        raise cannot_write(target, error) from error
    try:
        yield staging / NEW
        with _alone_in(target):
            _publish(staging, target, last)
    except OSError as error:
        raise cannot_write(target, error) from error
    finally:
        _remove(staging)
        os.close(lock)


@contextlib.contextmanager
def _alone_in(target: Path) -> Iterator[None]:
    """Keep other runs from beginning and publishing in ``target``, and clear what a killed one left."""
    folder = os.open(target, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _lock(folder, fcntl.LOCK_EX)
        for staging in sorted(target.glob(f"{PREFIX}*")):
            if _is_abandoned(staging):
                _put_back(staging, target)
                _remove(staging)
        yield
    finally:
        os.close(folder)


def _begin(target: Path) -> tuple[Path, int]:
    """Return a new staging folder and the descriptor that holds its lock."""
    staging = Path(tempfile.mkdtemp(prefix=PREFIX, dir=target))
    try:
        (staging / NEW).mkdir()
        lock = os.open(staging, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        _remove(staging)
        raise
    _lock(lock, fcntl.LOCK_EX)
    return staging, lock


def _is_abandoned(staging: Path) -> bool:
    try:
        folder = os.open(staging, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False  # not a folder, or gone meanwhile
    try:
        return _lock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    finally:
        os.close(folder)


def _lock(descriptor: int, operation: int) -> bool:
    """Return whether the lock was taken: some network file systems have none, and there nothing is abandoned."""
    try:
        fcntl.flock(descriptor, operation)
    except OSError:
        return False
    return True


def _publish(staging: Path, target: Path, last: str) -> None:
    try:
        _move_in(staging, target, last)
    except BaseException:
        _put_back(staging, target)
        raise


def _move_in(staging: Path, target: Path, last: str) -> None:
    """Set aside what is in the way, ``last`` first, then move the new files in, ``last`` last."""
    new, old = staging / NEW, staging / OLD
    files = sorted(path.relative_to(new).as_posix() for path in new.rglob("*") if path.is_file())
    names = sorted(files, key=lambda name: name == last)
    for name in names:
        if _leads_out(target, name):
            raise cannot_write(target / name, OSError(errno.ELOOP, "a link leads out of the folder"))
    write_atomically(staging / PLAN, "\n".join(names).encode())
    for name in names:  # all that takes space comes before anything moves
        (old / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).parent.mkdir(parents=True, exist_ok=True)
    for name in reversed(names):
        _set_aside(target / name, old / name)
    for name in names:
        (new / name).rename(target / name)


def _set_aside(path: Path, to: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        raise cannot_write(path, IsADirectoryError(errno.EISDIR, "a folder is in its place"))
    with contextlib.suppress(FileNotFoundError):
        path.rename(to)


def _put_back(staging: Path, target: Path) -> None:
    """Take back what ``_move_in`` did, if it has not come to its end; it may itself be cut short and repeated."""
    names = _unfinished(staging)
    try:
        for name in names:
            _put_back_one(staging / NEW / name, staging / OLD / name, target / name)
            if (target / name).parent != target:
                with contextlib.suppress(OSError):
                    (target / name).parent.rmdir()  # ours if it is empty
        if names:
            (staging / PLAN).unlink()
    except OSError as error:
        raise ArtefactError(
            f"cannot put the earlier files of {target} back: {error.strerror}",
            f"they are in {staging / OLD}; the next `sinehil train` into that folder puts them back",
        ) from error


def _put_back_one(new: Path, old: Path, path: Path) -> None:
    if not os.path.lexists(new):
        with contextlib.suppress(FileNotFoundError):
            path.rename(new)
    if os.path.lexists(old):
        old.rename(path)


def _unfinished(staging: Path) -> list[str]:
    """Return the names of a move under way, none if it has not begun or has come to its end."""
    plan = staging / PLAN
    content = bounded_bytes(plan, MAX_PLAN_BYTES) if plan.is_file() else None
    names = [] if content is None else content.decode(errors="replace").split("\n")
    if not names or not names[-1] or not all(map(_is_inside, names)):
        return []  # not ours: a folder from elsewhere must not make us move files outside of it
    moved = [(folder, f"{part}{name}") for name in names for folder, part in _places(staging)]
    if any(_leads_out(*place) for place in moved):
        return []
    return names if os.path.lexists(staging / NEW / names[-1]) else []


def _is_inside(name: str) -> bool:
    path = Path(name)
    return not path.is_absolute() and ".." not in path.parts and "\0" not in name


def _places(staging: Path) -> tuple[tuple[Path, str], ...]:
    """Return the folders that a move must stay in, each with what stands there before a name."""
    return (staging.parent, ""), (staging, f"{NEW}/"), (staging, f"{OLD}/")


def _leads_out(folder: Path, name: str) -> bool:
    """Return whether a link on the way to ``folder/name`` leaves the folder, as one in a download may."""
    return not Path(os.path.realpath((folder / name).parent)).is_relative_to(os.path.realpath(folder))


def _remove(staging: Path) -> None:
    if not _unfinished(staging):  # else it holds the only copy of earlier files
        shutil.rmtree(staging, ignore_errors=True)
