"""Append results of a sweep to ``results.jsonl``, one line a seed, synced to disk; resume from it.

Whoever sweeps holds a lock on the file, which ends with his process. A last line without its end was being written
when that happened, and is dropped; whatever else is wrong in the file is an error, for it may come from anywhere.
"""

import contextlib
import errno
import fcntl
import hashlib
import json
import math
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sinehil.base.installed import versions
from sinehil.errors import ArtefactError, UsageError
from sinehil_pipeline.config import Recipe
from sinehil_pipeline.recipes.checked_table import shown
from sinehil_pipeline.recipes.recipe_checks import MAX_SEED
from sinehil_pipeline.sweep.seeds import MAX_SEEDS, MEASURES, SeedResult

RESULTS = "results.jsonl"
SCHEMA = 1
ANOTHER = "choose another folder: `--out DIR`"
AGAIN = "the same command then goes on where it was"
MAX_BYTES = MAX_SEEDS * 300
FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
Header = Mapping[str, Any]  # the first line: what the results are results of


class Ledger:
    """The open file; ``results`` are by seed."""

    def __init__(self, path: Path, descriptor: int, results: Mapping[int, SeedResult]) -> None:
        self.path, self._descriptor = path, descriptor
        self.results = dict(results)

    def append(self, result: SeedResult) -> None:
        """Put a result on the disk; on ArtefactError the file is as it was."""
        append_line(self.path, self._descriptor, result.as_dict())
        self.results[result.seed] = result


@contextlib.contextmanager
def open_ledger(folder: Path, header: Header) -> Iterator[Ledger]:
    """Begin a results file in ``folder``, or take up the one that is there.

    Raises UsageError if it belongs to another recipe or version, or another sweep is at it; ArtefactError if it is
    damaged, or cannot be written.
    """
    path = folder / RESULTS
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, FLAGS, 0o644)
    except OSError as error:
        raise _cannot_write(path, error) from error
    try:
        _lock(path, descriptor)
        yield Ledger(path, descriptor, _taken_up(path, descriptor, header))
    finally:
        os.close(descriptor)


def _lock(path: Path, descriptor: int) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UsageError(
            f"another sweep is at work in {path.parent}", f"wait until it has ended, or {ANOTHER}"
        ) from None
    except OSError:
        return  # some network file systems have no locks


def _taken_up(path: Path, descriptor: int, header: Header) -> Mapping[int, SeedResult]:
    content = _content(path, descriptor)
    first_line = _line(header)
    if b"\n" not in content:
        if not first_line.startswith(content):
            raise ArtefactError(f"{path} is there and not of a sweep", ANOTHER)
        _cut(path, descriptor, 0)
        append_line(path, descriptor, header)
        return {}
    whole, _, torn = content.rpartition(b"\n")
    first, *lines = whole.split(b"\n")
    _check_header(path, first, header)
    results = _results(path, lines)
    if torn:
        _cut(path, descriptor, len(whole) + 1)
    return results


def _content(path: Path, descriptor: int) -> bytes:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise ArtefactError(f"{path} is no file", ANOTHER)
    with open(descriptor, "rb", closefd=False) as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ArtefactError(f"{path} has more than {MAX_BYTES} bytes: not a sweep's results", ANOTHER)
    return content


def _check_header(path: Path, line: bytes, header: Header) -> None:
    found = _object(path, 1, line)
    if found.get("sinehil_sweep") != header["sinehil_sweep"]:
        raise ArtefactError(f"{path} is not of a sweep, or of a version that this one cannot read", ANOTHER)
    difference = first_difference(found, header)
    if difference is not None:
        raise UsageError(f"{path.parent} has a sweep of something else: {difference}", ANOTHER)


def _results(path: Path, lines: list[bytes]) -> dict[int, SeedResult]:
    results: dict[int, SeedResult] = {}
    for number, line in enumerate(lines, 2):
        result = _result(path, number, _object(path, number, line))
        if result.seed in results:
            raise _damaged(path, number, f"seed {result.seed} is there twice")
        results[result.seed] = result
    return results


def _result(path: Path, number: int, found: Mapping[str, Any]) -> SeedResult:
    if found.keys() != {"seed", *MEASURES}:
        raise _damaged(path, number, "it has other keys than a result")
    seed = found["seed"]
    if type(seed) is not int or not 0 <= seed <= MAX_SEED:
        raise _damaged(path, number, f"seed is {shown(seed)}")
    for name in MEASURES:
        value = found[name]
        if value is not None and not (type(value) is float and math.isfinite(value) and value >= 0):
            raise _damaged(path, number, f"{name} is {shown(value)}")
    return SeedResult(**found)


def _object(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        raise _damaged(path, number, "it is not JSON") from None
    if not isinstance(found, dict):
        raise _damaged(path, number, "it is not a JSON object")
    return found


def _damaged(path: Path, number: int, reason: str) -> ArtefactError:
    return ArtefactError(
        f"{path} is damaged in line {number}: {reason}",
        f"{ANOTHER}; or remove that line, and the seed is trained again",
    )


def _line(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, allow_nan=False).encode() + b"\n"


def append_line(path: Path, descriptor: int, document: Mapping[str, Any]) -> None:
    """Append a line and wait until it is on the disk; what did not fit is taken back."""
    before = os.fstat(descriptor).st_size
    rest = _line(document)
    try:
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, before)
        raise _cannot_write(path, error) from error


def _cut(path: Path, descriptor: int, size_bytes: int) -> None:
    try:
        os.ftruncate(descriptor, size_bytes)
    except OSError as error:
        raise _cannot_write(path, error) from error


def _cannot_write(path: Path, error: OSError) -> ArtefactError:
    if error.errno == errno.ELOOP:
        return ArtefactError(f"{path} is a link, and results are not written through links", ANOTHER)
    return ArtefactError(
        f"cannot write {path}: {error.strerror}", f"free some space or choose another folder; {AGAIN}"
    )


def header_of(recipe: Recipe) -> Header:
    """Return everything that decides a seed's results, as JSON gives it back; the seed itself is what is swept."""
    described = {key: value for key, value in recipe.as_dict().items() if key != "seed"}
    if recipe.data.csv is not None:
        described["data"] = {"sha256": hashlib.sha256(recipe.data.csv).hexdigest()}
    document = {"sinehil_sweep": SCHEMA, "recipe": described, "versions": versions()}
    checked: Header = json.loads(json.dumps(document))
    return checked


def first_difference(there: Any, here: Any, key: str = "") -> str | None:
    """Return where two headers differ, for people; None if they are equal. ``there`` may come from anywhere."""
    if not (isinstance(there, dict) and isinstance(here, dict)):
        same = type(there) is type(here) and there == here  # to Python alone, true is 1
        return None if same else f"{key} is {shown(there)} there and {shown(here)} here"
    for name in [*here, *(name for name in there if name not in here)]:
        dotted = f"{key}.{name}" if key else name
        if name not in there or name not in here:
            return f"only one of the two has {shown(dotted)}"
        found = first_difference(there[name], here[name], dotted)
        if found is not None:
            return found
    return None
