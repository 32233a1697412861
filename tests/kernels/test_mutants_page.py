"""hil/mutants.md is what the command's document says, and that is what its outcomes come to."""

import json
from collections import Counter
from pathlib import Path

from sinehil_audit.mutants.mutant import MutantOutcome
from sinehil_audit.mutants.mutants_report import markdown
from sinehil_audit.mutants.parallel_audit import count

HIL = Path(__file__).parents[2] / "hil"
DOCUMENT = json.loads((HIL / "mutants.json").read_text())


def test_the_page_is_made_of_the_document() -> None:
    assert (HIL / "mutants.md").read_text() == markdown(DOCUMENT)


def test_the_figures_are_those_of_the_outcomes() -> None:
    for kernel in DOCUMENT["kernels"]:
        text = kernel["outcomes"]
        found = [MutantOutcome.of_number(int(text[at : at + 2], 16)) for at in range(0, len(text), 2)]
        assert vars(count(found)) == kernel["all"]
        sums = sum((Counter(counts) for counts in kernel["kinds"].values()), Counter())
        assert sums == Counter(kernel["all"]) - Counter()


def test_nothing_survived_and_the_board_agreed() -> None:
    assert [kernel["engine"] for kernel in DOCUMENT["kernels"]] == ["speed", "portable"]
    for kernel in DOCUMENT["kernels"]:
        assert kernel["survivors"] == [] and kernel["all"]["exhaustive"] == kernel["all"]["visible"] > 1000
        board = kernel["on_board"]
        assert board["agreeing"] == board["comparable"] == 200
