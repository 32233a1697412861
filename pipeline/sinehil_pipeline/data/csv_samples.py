"""Read samples from a CSV file with the columns x and y; untrusted until every row is checked."""

import csv
import io
import math
from pathlib import Path

import numpy as np

from sinehil.base.files import bounded_bytes
from sinehil.errors import ArtefactError
from sinehil.model.arrays import Float64s

MAX_CSV_BYTES = 8 << 20
MAX_ROWS = 100_000
FLOAT32_MAX = float(np.finfo(np.float32).max)
HELP = "give a CSV file whose first line is `x,y` and whose other lines are two numbers each"


def read_csv(path: Path) -> bytes:
    """Return a file's bytes, never more than ``MAX_CSV_BYTES`` of them; raise ArtefactError."""
    content = bounded_bytes(path, MAX_CSV_BYTES)
    if content is None:
        raise ArtefactError(
            f"{path} has more than {MAX_CSV_BYTES} bytes; {MAX_ROWS} rows in {MAX_CSV_BYTES} bytes are the limit",
            f"take every n-th row: a model this small learns no more from over {MAX_ROWS} of them",
        )
    return content


def parse_csv(content: bytes, name: str) -> tuple[Float64s, Float64s]:
    """Return x and y, shape [rows]; other columns are ignored. ``name`` is for messages. Raises ArtefactError."""
    try:
        text = content.decode("utf-8-sig")
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        _check_header(reader.fieldnames, name)
        rows = _rows(reader, name)
    except UnicodeDecodeError as error:
        raise ArtefactError(f"{name} is not UTF-8 text: byte {error.start}", HELP) from error
    except csv.Error as error:
        raise ArtefactError(f"{name} is not a CSV file: {error}", HELP) from error
    pairs = np.array(rows, np.float64).reshape(-1, 2)
    _check_content(pairs, name)
    return pairs[:, 0].copy(), pairs[:, 1].copy()


def _check_header(columns: object, name: str) -> None:
    names = list(columns) if isinstance(columns, list | tuple) else []
    if not names:
        raise ArtefactError(f"{name} is empty", HELP)
    if names.count("x") != 1 or names.count("y") != 1:
        first = ",".join(map(str, names))[:60]
        raise ArtefactError(
            f"the first line of {name} is {first!r}; it must name one column x and one y", HELP
        )


def _rows(reader: "csv.DictReader[str]", name: str) -> list[tuple[float, float]]:
    rows: list[tuple[float, float]] = []
    for row in reader:
        if len(rows) == MAX_ROWS:
            raise ArtefactError(f"{name} has more than {MAX_ROWS} rows", "take every n-th row")
        if None in row:
            raise ArtefactError(f"line {reader.line_num} of {name} has more values than the first line", HELP)
        rows.append((_value(row, "x", reader.line_num, name), _value(row, "y", reader.line_num, name)))
    return rows


def _value(row: dict[str, str], column: str, line: int, name: str) -> float:
    text = row[column]
    try:
        value = float(text)
    except (TypeError, ValueError):
        value = math.nan
    if not abs(value) <= FLOAT32_MAX:
        raise ArtefactError(
            f"line {line} of {name}: {column} is {(text or '')[:40]!r}, not a finite float32 number", HELP
        )
    return value


def _check_content(pairs: Float64s, name: str) -> None:
    if len(pairs) < 2:
        raise ArtefactError(
            f"{name} has {len(pairs)} rows; there must be some to train, validate and test with", HELP
        )
    for column, values in zip("xy", pairs.astype(np.float32).T, strict=True):
        if values.min() == values.max():
            raise ArtefactError(
                f"{column} is {values[0]} in every row of {name}: there is nothing to learn from that", HELP
            )
