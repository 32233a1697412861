"""Run one board's actions in a process of its own until its time is over."""

import contextlib
import os
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from types import FrameType
from typing import NoReturn

import numpy as np

from sinehil.base.deadline import Deadline
from sinehil.base.worker import Channel
from sinehil.errors import SinehilError
from sinehil.model.interpreters import open_oracle
from sinehil.virtual import VirtualUno
from sinehil_audit.soak.actions import ACTIONS, SoakBench, actions
from sinehil_audit.soak.processes import adopt_orphans, await_orphans, held, reap_orphans, sample
from sinehil_audit.soak.soak_log import Record

FAILURES_IN_A_ROW = 3

Tell = Callable[[Record], None]


@dataclass(frozen=True)
class SoakPlan:
    """What one board's process is to do; ``port`` None is a virtual Uno of its own."""

    board: int
    port: str | None
    seed: int
    minutes: float
    flash_once_in: int
    bench: SoakBench


def work(channel: Channel, plan: SoakPlan) -> None:
    """Do the plan, and hand over a record of everything that happens as it happens.

    SIGTERM ends it in good order. A supervisor that is gone ends it too.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    adopt_orphans()
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        start = sample("worker", plan.board, os.getpid(), phase="start")
        channel.hand_over(start)
        try:
            with _board(plan) as (port, simulator):
                _soak(plan, channel.hand_over, port, simulator)
        except SinehilError as error:  # the board did not start, or did not end
            channel.hand_over(_failure({"action": "board"}, plan, error))
        await_orphans(start["children"])
        channel.hand_over(sample("worker", plan.board, os.getpid(), phase="end"))


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


@contextlib.contextmanager
def _board(plan: SoakPlan) -> Iterator[tuple[str, int | None]]:
    """Yield the port, and the simulator's process where there is one."""
    if plan.port is not None:
        yield plan.port, None
        return
    with VirtualUno.start() as board:
        yield board.port, board.pid


def _soak(plan: SoakPlan, tell: Tell, port: str, simulator: int | None) -> None:
    oracle = open_oracle(plan.bench.expected.oracle, plan.bench.expected.model)
    rng = np.random.default_rng([plan.seed, plan.board])
    end, failed = Deadline.after(60 * plan.minutes), 0
    tell({"kind": "board", "board": plan.board, "port": port, "seed": plan.seed, "at": time.time()})
    for number, name in enumerate(actions(rng, plan.flash_once_in), 1):
        if end.expired or failed >= FAILURES_IN_A_ROW:
            return
        record: Record = {"number": number, "action": name, "at": time.time()}
        started = time.perf_counter()
        try:
            done = asdict(ACTIONS[name](plan.bench, oracle, port, rng))
            record = {"kind": "action", "board": plan.board, **record, **done}
            failed = 0
        except Exception as error:  # whatever it is, it is said and counted
            record = _failure(record, plan, error)
            failed += 1
        tell({**record, "seconds": round(time.perf_counter() - started, 6)})
        reap_orphans()
        tell(sample("worker", plan.board, os.getpid()))
        if simulator is not None and held(simulator) is not None:
            tell(sample("simulator", plan.board, simulator))


def _failure(record: Record, plan: SoakPlan, error: Exception) -> Record:
    expected = isinstance(error, SinehilError)
    return {
        "at": time.time(),
        **record,
        "kind": "failure",
        "board": plan.board,
        "seed": plan.seed,
        "error": str(error) if expected else f"{type(error).__name__}: {error}",
        "exit_code": int(error.exit_code) if isinstance(error, SinehilError) else None,
        "output": getattr(error, "output", "") if expected else traceback.format_exc(),
    }
