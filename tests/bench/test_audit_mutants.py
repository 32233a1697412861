"""A handful of mutants on a virtual Uno, by the command."""

import json

import pytest

from tests.bench.conftest import Bench

pytestmark = pytest.mark.board


def test_mutants_end_on_a_board_as_in_this_process(virtual: Bench) -> None:
    words = ("--optimize", "portable", "--sample", 1, "--on-board", 6, "--port", virtual.port)
    done = virtual.cli("audit", "mutants", *words, *virtual.words(), "--jobs", 1, "--json")
    assert done.returncode == 0, done.stderr
    [kernel] = json.loads(done.stdout)["kernels"]
    assert kernel["survivors"] == [] and kernel["audited"] == len(kernel["kinds"])
    assert kernel["on_board"]["agreeing"] == kernel["on_board"]["comparable"] == 6


def test_a_port_needs_mutants_for_it_and_a_virtual_board(virtual: Bench) -> None:
    done = virtual.cli("audit", "mutants", "--port", virtual.port, *virtual.words())
    assert done.returncode == 2 and "--on-board" in done.stderr
