"""A few of the kills that ``python -m tests.bench.kills`` deals by the dozen."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.bench.conftest import Bench
from tests.bench.kills import NOTHING, Kill, strike, usual_times_s
from tests.sampling import first

pytestmark = pytest.mark.board


KILLS = (Kill("flash", 0.6, "avrdude"), Kill("flash", 0.8, "sinehil"), Kill("verify", 0.7, "sinehil"))


@pytest.mark.parametrize("kill", first(1, KILLS), ids=str)
def test_the_run_after_a_kill_works(victim: Bench, tmp_path: Path, kill: Kill) -> None:
    usual_s = usual_times_s(victim)
    assert hit(victim, kill, usual_s[kill.command], tmp_path) == kill.victim


def test_a_kill_that_comes_too_late_hits_nothing(victim: Bench, tmp_path: Path) -> None:
    too_late = 60.0
    assert strike(victim, Kill("verify", 1.0, "sinehil"), too_late, tmp_path) == NOTHING


def hit(bench: Bench, kill: Kill, usual_s: float, cwd: Path) -> str:
    """Return what was hit; a run that was faster than usual and had ended is followed by others, hit earlier."""
    for moment in (kill.moment, kill.moment / 2, 0.0):
        struck = strike(bench, replace(kill, moment=moment), usual_s, cwd)
        if struck != NOTHING:
            return struck
    return NOTHING
