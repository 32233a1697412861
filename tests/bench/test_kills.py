"""A few of the kills that ``python -m tests.bench.kills`` deals by the dozen."""

from pathlib import Path

import pytest

from tests.bench.conftest import Bench
from tests.bench.kills import Kill, strike

pytestmark = pytest.mark.board


KILLS = (Kill("flash", 0.6, "avrdude"), Kill("flash", 0.9, "sinehil"), Kill("verify", 0.7, "sinehil"))


def test_the_run_after_a_kill_works(victim: Bench, tmp_path: Path) -> None:
    for kill in KILLS:
        strike(victim, kill, 2.0, tmp_path)
