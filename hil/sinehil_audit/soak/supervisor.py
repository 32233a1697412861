"""Start a process for each board of a soak, collect their records and end them."""

import os
import time
from collections.abc import Callable, Sequence

from sinehil.base.workers import Silence, Task, Workers, with_messages
from sinehil.errors import SinehilError
from sinehil_audit.soak.board_process import SoakPlan, work
from sinehil_audit.soak.processes import adopt_orphans, await_orphans, reap_orphans, sample
from sinehil_audit.soak.soak_log import Record

SAMPLE_S = 5.0
END_TIMEOUT_S = 20.0

Keep = Callable[[Record], None]


def run(plans: Sequence[SoakPlan], keep: Keep) -> None:
    """Run all plans to their end and hand each record to ``keep`` at once; an exception ends all of them."""
    adopt_orphans()
    start = sample("supervisor", None, os.getpid(), phase="start")
    keep(start)
    try:
        with Workers(Silence(), END_TIMEOUT_S) as workers:
            _listen({workers.start(work, plan): plan for plan in plans}, keep)
    finally:
        await_orphans(start["children"], leaders_too=True)
        adopt_orphans(False)
        keep(sample("supervisor", None, os.getpid(), phase="end"))


def _listen(living: dict[Task[None], SoakPlan], keep: Keep) -> None:
    due = time.monotonic()
    while living:
        for task in with_messages(living, max(0.0, due - time.monotonic())):
            _hear(task, living, keep)
        if time.monotonic() >= due:
            due += SAMPLE_S
            reap_orphans(leaders_too=True)
            keep(sample("supervisor", None, os.getpid()))


def _hear(task: Task[None], living: dict[Task[None], SoakPlan], keep: Keep) -> None:
    """Keep what a board's process says; it is over when it has ended, by itself or not."""
    try:
        task.hear(Silence())
    except SinehilError as error:
        keep(_death(living.pop(task), error))
        return
    for record in task.take_parts():
        keep(record)
    if task.done:
        del living[task]


def _death(plan: SoakPlan, error: SinehilError) -> Record:
    """Return the record of a board's process that did not end by itself."""
    return {
        "kind": "failure",
        "board": plan.board,
        "action": "process",
        "seed": plan.seed,
        "at": time.time(),
        "error": error.message,
        "exit_code": None,
        "output": getattr(error, "output", ""),
    }
