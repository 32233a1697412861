"""Write and read the log of a soak: a line of JSON for each thing that happened, written whole or not at all."""

import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sinehil.base.files import cannot_write, open_regular
from sinehil.errors import ArtefactError

Record = dict[str, Any]


# A pipe would wait for its reader.
FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NONBLOCK


class Log:
    """Records in a new file; what a full disk refuses is counted, so that it cannot pass for nothing.

    They are not kept in memory, or the memory of the soak itself would grow as it goes on.
    """

    def __init__(self, path: Path) -> None:
        """Begin a log; ArtefactError if ``path`` cannot be written."""
        self.path = path
        self.unwritten = 0
        self.trouble = ""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, FLAGS, 0o644)
        except OSError as error:
            raise cannot_write(path, error) from error
        self._length = 0

    @property
    def missing(self) -> list[str]:
        """What the log lacks, as clauses."""
        return [f"{self.unwritten} records could not be written: {self.trouble}"] if self.unwritten else []

    def keep(self, record: Record) -> None:
        """Take a record; a line that does not fit is taken back, and the next one is tried again."""
        line = json.dumps(record, allow_nan=False).encode() + b"\n"
        try:
            if os.pwrite(self._file, line, self._length) < len(line):
                raise OSError(0, "the file system is full")
            self._length += len(line)
        except OSError as error:
            self.unwritten += 1
            self.trouble = error.strerror or str(error)
            os.ftruncate(self._file, self._length)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)


def read_log(path: Path) -> list[Record]:
    """Return the records of a log; one whose writer was killed or that ran out of space is read as far as it goes."""
    try:
        with open_regular(path) as file:
            lines = file.read().decode(errors="replace").splitlines()
    except OSError as error:
        raise ArtefactError(f"{path} cannot be read: {error.strerror}", "check the path") from error
    records = []
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line)
            if not isinstance(record, dict) or not isinstance(record.get("kind"), str):
                raise ValueError("no record")
        except ValueError as error:
            if number == len(lines):
                break  # torn
            raise ArtefactError(
                f"line {number} of {path} is no soak's record", "name a soak's log"
            ) from error
        records.append(record)
    return records
