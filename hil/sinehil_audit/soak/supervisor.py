"""The supervisor: a process for each board, so that none disturbs another and each one's memory can be told."""

import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from sinehil_audit.soak.processes import adopt_orphans, await_orphans, reap_orphans, sample
from sinehil_audit.soak.soak_log import Record
from sinehil_audit.soak.worker import Plan, work

SAMPLE_S = 5.0
END_TIMEOUT_S = 20.0


@dataclass(frozen=True)
class _Worker:
    plan: Plan
    process: SpawnProcess
    pipe: "Connection[Record, Record]"


def run(plans: Sequence[Plan], keep: Callable[[Record], None]) -> None:
    """Run all plans to their end and hand each record to ``keep`` at once; an exception ends all of them."""
    context = multiprocessing.get_context("spawn")
    resource_tracker.ensure_running()  # a helper of multiprocessing's that stays until we end, and no leak
    adopt_orphans()
    start = sample("supervisor", None, os.getpid(), phase="start")
    keep(start)
    workers: list[_Worker] = []
    try:
        for plan in plans:
            ours, theirs = context.Pipe(duplex=False)
            process = context.Process(target=work, args=(plan, theirs), daemon=False)
            process.start()
            theirs.close()
            workers.append(_Worker(plan, process, ours))
        _listen(workers, keep)
    finally:
        _end(workers)
        await_orphans(start["children"], leaders_too=True)
        adopt_orphans(False)
        keep(sample("supervisor", None, os.getpid(), phase="end"))


def _listen(workers: Sequence[_Worker], keep: Callable[[Record], None]) -> None:
    living, due = {worker.pipe: worker for worker in workers}, time.monotonic()
    while living:
        for pipe in wait(list(living), timeout=max(0.0, due - time.monotonic())):
            assert isinstance(pipe, Connection)
            try:
                keep(pipe.recv())
            except EOFError:
                keep_death(living.pop(pipe), keep)
        if time.monotonic() >= due:
            due += SAMPLE_S
            reap_orphans(leaders_too=True)
            keep(sample("supervisor", None, os.getpid()))


def keep_death(worker: _Worker, keep: Callable[[Record], None]) -> None:
    """Record it where a board's process did not end by itself."""
    worker.process.join(END_TIMEOUT_S)
    code = worker.process.exitcode
    if code != 0:
        error = f"its process ended with code {code}"
        keep(
            {"kind": "failure", "board": worker.plan.board, "action": "process", "seed": worker.plan.seed}
            | {"at": time.time(), "error": error, "exit_code": None, "output": ""}
        )


def _end(workers: Sequence[_Worker]) -> None:
    for worker in workers:
        worker.process.terminate()
    for worker in workers:
        worker.process.join(END_TIMEOUT_S)
        worker.process.kill()
        worker.process.join()
        worker.process.close()
        worker.pipe.close()
