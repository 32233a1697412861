"""The child side of a worker process: one function, messages over a socket.

Run as ``python -m sinehil.base.worker FD`` by ``workers.Workers`` alone. A process of its own keeps TensorFlow
and its chatter out of the caller, uses the second core, and can be ended at any moment.
"""

import os
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Generic, TypeVar

from sinehil.errors import SinehilError

Result = TypeVar("Result")

BACKGROUND_NICENESS = 5


@dataclass(frozen=True)
class EpochDone:
    """Progress of a training, on its way to ``Progress.epoch``."""

    model: str
    epoch: int
    epochs: int
    val_mse: float


@dataclass(frozen=True)
class Underway:
    """Progress of anything else, on its way to ``Progress.stage``."""

    text: str
    fraction: float


@dataclass(frozen=True)
class WorkerCall(Generic[Result]):
    """What a worker is to do: ``function(channel, *arguments)``; the function is pickled by name."""

    function: Callable[..., Result]
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class Returned(Generic[Result]):
    """The function returned."""

    result: Result


@dataclass(frozen=True)
class Early:
    """What the function hands over before it goes on."""

    part: Any


@dataclass(frozen=True)
class Raised:
    """The function raised: an expected error as it is, anything else as ``traceback`` text."""

    error: SinehilError | None
    traceback: str


class Channel:
    """What a function in a worker can tell its parent, and hear from it."""

    def __init__(self, connection: "Connection[Any, Any]") -> None:
        self._connection = connection

    def step_back(self) -> None:
        """Let the worker that imports TensorFlow go first: everything else waits for it in the end."""
        os.nice(BACKGROUND_NICENESS)

    def report(self, message: EpochDone | Underway) -> None:
        """Send progress. Raises BrokenPipeError when the parent is gone, which ends the worker."""
        self._connection.send(message)

    def hand_over(self, part: Any) -> None:
        """Give the parent what it can go on with while the function does the rest."""
        self._connection.send(Early(part))

    def receive(self) -> Any:
        """Wait for what the parent sends; raises EOFError when the parent is gone."""
        return self._connection.recv()


def _answer(connection: "Connection[Any, Any]") -> Returned[Any] | Raised:
    try:
        call: WorkerCall[Any] = connection.recv()
        return Returned(call.function(Channel(connection), *call.arguments))
    except SinehilError as error:
        return Raised(error, traceback.format_exc())
    except Exception:  # the parent raises it again, as a ToolError
        return Raised(None, traceback.format_exc())


def main(file_descriptor: int) -> None:
    """Do one call. Ctrl-C reaches the whole process group, but ending a worker is for the parent to decide."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with Connection(file_descriptor) as connection:
        connection.send(_answer(connection))


if __name__ == "__main__":
    # Under its own name, so that what is pickled here is what the parent knows.
    from sinehil.base import worker

    try:
        worker.main(int(sys.argv[1]))
    except (BrokenPipeError, EOFError):
        sys.exit(1)
