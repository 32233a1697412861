"""Trace each frame on the wire and what became of it, as aligned text or JSON lines. See hil/PROTOCOL.md."""

import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, Self

from sinehil.base.untrusted_text import visible
from sinehil.board.protocol.encode import encoded_size
from sinehil.board.protocol.frame import Frame, type_name
from sinehil.errors import UsageError

STDERR = Path("-")
JSON_SUFFIX = ".jsonl"
SHOWN_BYTES = 64  # of what is no frame
# A pipe that nobody reads would keep open() waiting for ever; appending keeps lines of several processes whole.
FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
HEADING = (
    "# sinehil trace 1: -> sent, <- received, x dropped, ! what the host concludes; seconds since the start\n"
    f"# {'seconds':>9}    {'type':<15} {'seq':>3} {'session':<8} {'bytes':>5}  port: note\n"
)


class TraceKind(StrEnum):
    """What a line of a trace is about."""

    SENT = "sent"
    RECEIVED = "received"
    DROPPED = "dropped"  # a frame that was received, or bytes that are none
    LOST = "lost"  # a request that counts as unanswered and will be sent again
    HANDSHAKE = "handshake"  # begins
    SESSION = "session"  # the board has answered the handshake
    RESET = "reset"
    SILENCE = "silence"


MARKS = {TraceKind.SENT: "->", TraceKind.RECEIVED: "<-", TraceKind.DROPPED: "x"}


class TraceSink(Protocol):
    """What takes note of a link's events."""

    def record(
        self, at_s: float, port: str, kind: TraceKind, frame: Frame | None, note: str, data: bytes
    ) -> None:
        """Take note of an event ``at_s`` on the line's clock; ``data`` are bytes that are no frame."""


class TraceFile:
    """A TraceSink that writes a line for each event. ``start_s`` is when the line's clock started.

    What cannot be written any more ends the trace with a note on stderr, and changes nothing else. Sent to another
    process, it appends to the same file.
    """

    def __init__(self, path: Path, start_s: float) -> None:
        """Create or empty the file; raise UsageError if that is not possible."""
        self._path, self._start_s = path, start_s
        self._as_json = path.suffix == JSON_SUFFIX
        try:
            self._descriptor = (
                None if path == STDERR else os.open(path, FLAGS | os.O_CREAT | os.O_TRUNC, 0o644)
            )
        except (OSError, ValueError) as error:  # ValueError: a NUL in the name
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise UsageError(
                f"cannot write the trace {path}: {reason}", "choose another --trace FILE"
            ) from error
        self._is_over = False
        if not self._as_json:
            self._write(HEADING)

    def record(
        self, at_s: float, port: str, kind: TraceKind, frame: Frame | None, note: str, data: bytes
    ) -> None:
        """See TraceSink."""
        line = json_line if self._as_json else text_line
        self._write(line(at_s - self._start_s, port, kind, frame, note, data))

    def close(self) -> None:
        """Close the file; closing twice is fine."""
        descriptor, self._descriptor = self._descriptor, None
        self._is_over = True
        if descriptor is not None:
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_descriptor": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self._path != STDERR and not self._is_over:
            try:
                self._descriptor = os.open(self._path, FLAGS)
            except OSError as error:
                self._give_up(error)

    def _write(self, text: str) -> None:
        if self._is_over:
            return
        try:
            if self._descriptor is None:
                sys.stderr.write(text)
                return
            data = text.encode()
            if os.write(self._descriptor, data) < len(data):
                raise OSError("no space for a whole line")
        except (OSError, ValueError) as error:  # ValueError: a closed stderr
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        self._is_over = True
        reason = getattr(error, "strerror", None) or error
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(f"sinehil: the trace {visible(str(self._path))} ends here: {reason}\n")


@contextlib.contextmanager
def opened_trace(path: Path | None, start_s: float | None = None) -> Iterator[TraceFile | None]:
    """Yield a trace to ``path``, None without one; raise UsageError if it cannot be written.

    ``start_s`` is when the line's clock started; a real line's starts now.
    """
    if path is None:
        yield None
    else:
        with TraceFile(path, time.monotonic() if start_s is None else start_s) as trace:
            yield trace


def text_line(seconds: float, port: str, kind: TraceKind, frame: Frame | None, note: str, data: bytes) -> str:
    """Return an event as a line of aligned text, with nothing in it that could move a cursor."""
    head = f"{seconds:11.6f} {MARKS.get(kind, '!'):>2} "
    if frame is not None:
        head += f"{type_name(frame.type):<15} {frame.seq:>3} {frame.session:08x} {encoded_size(frame):>5}"
    else:
        head += f"{kind:<15} {'':>3} {'':8} {len(data) or '':>5}"
    words = [*([str(kind)] if kind is TraceKind.LOST else []), *([note] if note else [])]
    if data:
        words.append(f"{data[:SHOWN_BYTES]!r}" + ("..." if len(data) > SHOWN_BYTES else ""))
    return visible(f"{head}  {port}: {', '.join(words)}".rstrip(": ")) + "\n"


def json_line(seconds: float, port: str, kind: TraceKind, frame: Frame | None, note: str, data: bytes) -> str:
    """Return an event as a line with one JSON object; ASCII."""
    document: dict[str, Any] = {"seconds": round(seconds, 6), "port": port, "event": str(kind)}
    if frame is not None:
        document |= {"type": type_name(frame.type), "seq": frame.seq, "session": f"{frame.session:08x}"}
        document |= {"bytes": encoded_size(frame), "payload": frame.payload.hex()}
    elif data:
        document |= {"bytes": len(data), "data": data.hex()}
    if note:
        document["note"] = note
    return json.dumps(document) + "\n"
