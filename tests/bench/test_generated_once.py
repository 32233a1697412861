"""Compile, flash, verify and bench, each a process of its own, generate and prove one kernel altogether."""

import re
import shutil
from pathlib import Path

import pytest

from tests.bench.conftest import Bench

pytestmark = pytest.mark.board


def kernels_in_the_log(bench: Bench, cache: Path, *words: object) -> list[str]:
    """Run a command and return the kernels that it ``generated`` or ``found``, in this order."""
    done = bench.cli(*words, "-v", env={"SINEHIL_CACHE": str(cache)})
    assert done.returncode == 0, done.stderr
    return re.findall(r"sinehil_kernels\S* kernel speed for litert (generated|found)", done.stderr)


def test_four_commands_generate_one_kernel(virtual: Bench, cache_without_kernels: Path) -> None:
    cache, port = cache_without_kernels, ("--port", virtual.port)
    verify = ("verify", *port, *virtual.words())
    assert kernels_in_the_log(virtual, cache, "compile", *virtual.words()) == ["generated"]
    assert kernels_in_the_log(virtual, cache, "flash", *port, *virtual.words()) == ["found"]
    assert kernels_in_the_log(virtual, cache, *verify) == ["found"]
    assert kernels_in_the_log(virtual, cache, "bench", *port) == []  # the board's own counter needs none
    shutil.rmtree(cache / "kernels")
    assert kernels_in_the_log(virtual, cache, *verify) == ["generated"]  # the control
