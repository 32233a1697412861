"""The parent side of worker processes: start functions in them, pass on their progress, leave none behind."""

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from types import TracebackType
from typing import IO, Any, Concatenate, Generic, ParamSpec, Protocol, Self, TypeVar

from sinehil.base.deadline import Deadline
from sinehil.base.worker import Channel, Early, EpochDone, Raised, Returned, Underway, WorkerCall
from sinehil.errors import ToolError

Result = TypeVar("Result")
Arguments = ParamSpec("Arguments")

OUTPUT_TAIL_BYTES = 4000


class Progress(Protocol):
    """Hears of a run; called from the thread that called ``train``."""

    def epoch(self, model: str, epoch: int, epochs: int, val_mse: float) -> None:
        """``epoch`` of ``epochs`` of a model is done. Counts from 1 again when the gate asks for another try."""

    def stage(self, text: str, fraction: float | None = None) -> None:
        """Say what is going on besides training, and how far it is where that is known."""


class Silence:
    """A Progress that tells nobody."""

    def epoch(self, model: str, epoch: int, epochs: int, val_mse: float) -> None:
        """Ignore it."""

    def stage(self, text: str, fraction: float | None = None) -> None:
        """Ignore it."""


class Task(Generic[Result]):
    """A function running in a worker."""

    def __init__(self, call: WorkerCall[Result]) -> None:
        ours, theirs = socket.socketpair()
        self._chatter: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 (closed in end)
        with theirs:
            command = [sys.executable, "-m", "sinehil.base.worker", str(theirs.fileno())]
            self.process = subprocess.Popen(
                command,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=self._chatter,
                stderr=self._chatter,
            )
        self.connection: Connection[Any, Any] = Connection(ours.detach())
        self.connection.send(call)
        self._name = call.function.__name__
        self._answer: Returned[Result] | None = None
        self._early: deque[Any] = deque()

    @property
    def done(self) -> bool:
        """Whether the result is there."""
        return self._answer is not None

    def send(self, message: object) -> None:
        """Give the function what its ``Channel.receive`` waits for."""
        # A worker that died says why in its answer, or by leaving none.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.connection.send(message)

    def result(self) -> Result:
        """Return what the function returned."""
        if self._answer is None:
            raise RuntimeError(f"{self._name} has not been waited for")
        return self._answer.result

    @property
    def handed_over(self) -> bool:
        """Whether the function has handed something over, or can no longer."""
        return bool(self._early) or self.done

    def early(self) -> Any:
        """Return what the function handed over."""
        if not self._early:
            raise RuntimeError(f"{self._name} has handed over nothing")
        return self._early[0]

    def take_parts(self) -> Iterator[Any]:
        """Take all that the function has handed over so far."""
        while self._early:
            yield self._early.popleft()

    def hear(self, progress: Progress) -> None:
        """Take one message; raise what the function raised."""
        try:
            message = self.connection.recv()
        except (EOFError, ConnectionResetError):
            code = self.process.wait()
            raise self._failure(f"ended with code {code}", "") from None
        if isinstance(message, EpochDone):
            progress.epoch(message.model, message.epoch, message.epochs, message.val_mse)
        elif isinstance(message, Underway):
            progress.stage(message.text, message.fraction)
        elif isinstance(message, Early):
            self._early.append(message.part)
        elif isinstance(message, Returned):
            self._answer = message
        elif isinstance(message, Raised):
            raise message.error or self._failure("failed", message.traceback)

    def _failure(self, what: str, trace: str) -> ToolError:
        size = os.fstat(self._chatter.fileno()).st_size
        tail = os.pread(self._chatter.fileno(), OUTPUT_TAIL_BYTES, max(0, size - OUTPUT_TAIL_BYTES))
        return ToolError(
            f"the worker process for {self._name} {what}",
            "read its own words; enough memory and a whole `sinehil[train]` installation are what it needs",
            output=tail.decode(errors="replace") + trace,
        )

    def end(self, grace_s: float) -> None:
        """Kill the process if it still runs after ``grace_s``."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(grace_s)
        self.process.kill()
        self.process.wait()
        self.connection.close()
        self._chatter.close()


class Workers:
    """All tasks of one run. At the end of the ``with`` block no process is left, whatever happened.

    With ``grace_s`` each gets a SIGTERM then and, all together, so long to end by itself.
    """

    def __init__(self, progress: Progress, grace_s: float = 0.0) -> None:
        self._progress, self._grace_s = progress, grace_s
        self._tasks: list[Task[Any]] = []

    def __enter__(self) -> Self:
        return self

    def start(
        self,
        function: Callable[Concatenate[Channel, Arguments], Result],
        *arguments: Arguments.args,
        **_: Arguments.kwargs,
    ) -> Task[Result]:
        """Run ``function(channel, *arguments)``, a module-level function, in a process of its own."""
        task = Task(WorkerCall(function, arguments))
        self._tasks.append(task)
        return task

    def wait_for(self, *tasks: Task[Any]) -> None:
        """Pass on all progress until ``tasks`` have their results; raise the first error of any task."""
        self._hear_until(lambda: all(task.done for task in tasks))

    def wait_for_early(self, task: Task[Any]) -> None:
        """Do the same until ``task`` has handed over what can be had early."""
        self._hear_until(lambda: task.handed_over)

    def parts(self, *tasks: Task[Any]) -> Iterator[tuple[Task[Any], Any]]:
        """Yield whatever ``tasks`` hand over, as it comes, with who did, until all have their results."""
        while not all(task.done for task in tasks):
            self._hear_all()
            for task in tasks:
                yield from ((task, part) for part in task.take_parts())

    def _hear_until(self, satisfied: Callable[[], bool]) -> None:
        while not satisfied():
            self._hear_all()

    def _hear_all(self) -> None:
        for task in with_messages(task for task in self._tasks if not task.done):
            task.hear(self._progress)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._grace_s:
            for task in self._tasks:
                task.process.terminate()
        deadline = Deadline.after(self._grace_s)
        for task in self._tasks:
            task.end(deadline.remaining_s)


def with_messages(tasks: Iterable[Task[Result]], timeout_s: float | None = None) -> Iterator[Task[Result]]:
    """Wait until tasks have said something, or ended, and yield them; none when ``timeout_s`` passes first."""
    running = {task.connection: task for task in tasks}
    for connection in wait(list(running), timeout_s):
        if isinstance(connection, Connection):
            yield running[connection]
