"""SIGKILL at random moments of flash and verify: the next run must work. ``python -m tests.bench.kills --kills 50``."""

import argparse
import contextlib
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sinehil.virtual import VirtualUno
from tests.bench.conftest import Bench, until
from tests.bench.marked_run import Run, started
from tests.conftest import cli_in

SEED = 137
OURS = "sinehil"
NOTHING = "nothing: it had ended"
VICTIMS = {"flash": (OURS, OURS, "arduino-cli", "avrdude"), "verify": (OURS,)}


@dataclass(frozen=True)
class Kill:
    """Which command is hit, how far into its usual time (0 to 1), and which of its processes."""

    command: str
    moment: float
    victim: str


def plan(kills: int, seed: int) -> list[Kill]:
    """Return seeded kills, flash and verify in turn."""
    chance = random.Random(seed)
    commands = (("flash", "verify")[number % 2] for number in range(kills))
    return [Kill(command, chance.random(), chance.choice(VICTIMS[command])) for command in commands]


def usual_times_s(bench: Bench) -> dict[str, float]:
    """Return how long each command takes when nothing hits it."""
    times = {}
    for command in VICTIMS:
        started_at = time.monotonic()
        _must_work(bench, command)
        times[command] = time.monotonic() - started_at
    return times


def strike(bench: Bench, kill: Kill, usual_s: float, cwd: Path) -> str:
    """Kill once, require that nothing is left and that the next run works; return what was hit.

    A victim that does not run at its moment is waited for; one that never comes was not hit.
    """
    words = ["--port", bench.port, *bench.words()]
    with started(kill.command, *words, cwd=cwd) as run:
        with contextlib.suppress(Exception):
            run.process.wait(kill.moment * usual_s)
        hit = _hit(run, kill.victim)
        _, stderr = run.process.communicate(timeout=120)
        assert "Traceback" not in stderr, stderr
        if hit == OURS and run.process.returncode == 0:
            hit = ""  # it ended between the look and the blow
        elif hit == OURS:
            assert run.process.returncode == -signal.SIGKILL, (run.process.returncode, stderr)
        elif hit:
            assert run.process.returncode == 5, (run.process.returncode, stderr)
        until(lambda: not run.programs(), "the end of what the killed one started")
    for command in dict.fromkeys((kill.command, "flash", "verify")):
        if command == "verify" or kill.command == "flash":
            _must_work(bench, command)
    return hit or NOTHING


def _hit(run: Run, victim: str) -> str:
    while run.process.poll() is None:
        pids = [run.process.pid] if victim == OURS else _running(run, victim)
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                return victim
        time.sleep(0.002)
    return ""


def _running(run: Run, program: str) -> list[int]:
    """Return the processes of a program in the upload; arduino-cli is asked other things before."""
    named = [pid for pid, name in run.living() if name == program]
    return [pid for pid in named if program == "avrdude" or "upload" in _words(pid)]


def _words(pid: int) -> list[str]:
    with contextlib.suppress(OSError):  # ended meanwhile
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    return []


def _must_work(bench: Bench, command: str) -> None:
    done = bench.cli(command, "--port", bench.port, *bench.words())
    assert done.returncode == 0, (command, done.returncode, done.stderr)


@contextlib.contextmanager
def own_bench(folder: Path) -> Iterator[Bench]:
    """Yield a virtual Uno with a model trained for it."""
    cli = cli_in(folder)
    done = cli("train", "--out", folder / "artifacts")
    assert done.returncode == 0, done.stderr
    with VirtualUno.start(link=folder / "uno") as board:
        yield Bench(cli, board.port, folder / "artifacts", folder / "build", board.control)


def main() -> int:
    """Print a line a kill and what they came to; 0 if every next run worked."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--kills", type=int, default=50)
    options.add_argument("--seed", type=int, default=SEED)
    options.add_argument("--only", type=int, help="only this one, by its number")
    chosen = options.parse_args()
    failed, hits = 0, Counter[str]()
    with tempfile.TemporaryDirectory() as place, own_bench(Path(place)) as bench:
        usual = usual_times_s(bench)
        for number, kill in enumerate(plan(chosen.kills, chosen.seed)):
            if chosen.only not in (None, number):
                continue
            try:
                result = strike(bench, kill, usual[kill.command], Path(place))
                hits[f"{kill.command}: {result}"] += 1
            except AssertionError as error:
                failed, result = failed + 1, f"FAILED: {error}"
            sys.stdout.write(f"{number:3} {kill.command:7} at {kill.moment:5.3f} {kill.victim:12} {result}\n")
            sys.stdout.flush()
    sys.stdout.write(f"{hits.total()} of {hits.total() + failed} worked the next time; hit: {dict(hits)}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
