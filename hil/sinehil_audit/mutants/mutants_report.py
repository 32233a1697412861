"""Write an audit of mutants as text, for the terminal and as Markdown, and as a plot, from the command's document."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sinehil.base.files import write_atomically
from sinehil_audit.engines.engines_report import table
from sinehil_audit.mutants.parallel_audit import AuditedKernel, outcomes_text
from sinehil_pipeline.page.plot_style import BLUE, GREEN, GREY, ORANGE, VERMILION, png, style

HEADER = ("what is wrong", "mutants", "break out", "visible", "identity", "exhaustive", "test set")
PEERS = {"codes": "256 codes, 0.05", "twenty": "20 points, 0.15", "four": "4 points, 0.05"}
Row = tuple[str, ...]
Document = Mapping[str, Any]

ABOUT = """\
Kernels made wrong in every small way there is, and who notices: every single bit of every constant, seeded bits of
instructions (4,000 where there are more), and what a programmer may get wrong. `make mutants` writes this page in some
ten minutes. Each mutant runs behind the firmware's own command handler
on this machine (kernels in assembly in `pipeline/sinehil_kernels/avr/machine.py`), and the `verify` that
boards are held to is held to it. A mutant is *visible* if one of its outputs differs from LiteRT's, over all 256 codes
and 17 floats around each step of the quantiser; the interpreter decides that, not `verify`.

- *identity*: how many of all, visible or not, the checksum gives away that the board computes over its flash. It covers
  every bit that is flipped here, but two instructions of the size kernel, whose address the linker fills in. The last
  rows are no damage in flash but kernels generated or compiled wrong, which may have the right constants.
- *exhaustive*, *test set*: how many of the visible ones `verify` calls wrong when the identity is forged to look right.
- The last three are what others check: 256 codes within 0.05, 20 evenly spaced points within 0.15, and the four points
  of TFLM's hello_world test (0, 1, 3, 5) within 0.05.
- *break out*: it runs into what is no instruction, spoils its caller's registers or does not come back. It has no
  outputs to compare, so that it is not counted as visible; the checksum gives it away.
"""


def markdown(document: Document) -> str:
    """Return the whole page."""
    parts = [f"# Mutants\n{ABOUT}", "![Who notices](mutants.png)\n"]
    parts.append(
        f"Model sha256 {document['model_sha256']}, oracle {document['oracle']}, seed {document['seed']}.\n"
    )
    for kernel in document["kernels"]:
        parts.append(f"## `--optimize {kernel['engine']}`\n{lines(kernel)}")
        if kernel["on_board"] is not None:
            parts.append(on_board_text(kernel["on_board"]))
    return "\n".join(parts)


def lines(kernel: Document) -> str:
    """Return the table of one kernel, and what its last columns are held against."""
    rows = [_row(name, counts) for name, counts in kernel["kinds"].items()]
    whole = table([(*HEADER, *PEERS.values()), *rows, _row("all", kernel["all"])])
    return f"{whole}\n\n{_against(kernel['against'])}\n"


def on_board_text(found: Document) -> str:
    """Return how the mutants ended that ran on a board."""
    sound, broken = (_ends(found["endings"][name]) for name in ("sound", "breaks out"))
    text = (
        f"On a virtual Uno: {found['comparable']} of them, of every kind that is bytes in flash, flipped there and "
        f"verified over the port. {found['agreeing']} ended as on this machine, in every code and float. "
        f"What the honest board brought, then the forged one: {sound}."
    )
    if broken:
        text += f" Those that break out: {broken}."
    return f"{text}\n"


def _ends(counts: Mapping[str, int]) -> str:
    return "; ".join(f"{end} {number}" for end, number in counts.items())


def _against(against: Mapping[str, str]) -> str:
    of: dict[str, list[str]] = {}
    for name, reference in against.items():
        of.setdefault(reference, []).append(PEERS[name])
    said = "; ".join(f"{' and '.join(names)} of {reference}" for reference, names in of.items())
    return f"Held against: {said}. (The interpreter's y, where the sound model itself is too far from its target.)"


def _row(name: str, counts: Mapping[str, int]) -> Row:
    numbers = (counts["mutants"], counts["breaks_out"], counts["visible"])
    return (name, *(f"{number:,}" for number in numbers), *_shares(counts))


def _shares(counts: Mapping[str, int]) -> Iterator[str]:
    yield share(counts["identity"], counts["mutants"])
    for name in ("exhaustive", "test_set", *PEERS):
        yield share(counts[name], counts["visible"])


def share(part: int, whole: int) -> str:
    """Return a percentage that is 100 only if nothing is missing, and 0 only if nothing is there."""
    if part == whole:
        return "100 %" if whole else "0 of 0"
    percent = min(100 * part / whole, 99.9)
    return f"{max(percent, 0.1) if part else 0:.1f} %"


MARKS = {
    "exhaustive": (BLUE, "o", "verify, exhaustive"),
    "test_set": (GREEN, "D", "verify, 200 test samples"),
    "codes": (GREY, "^", "256 codes within 0.05"),
    "twenty": (ORANGE, "s", "20 points within 0.15"),
    "four": (VERMILION, "v", "4 points within 0.05"),
}
WIDTH_IN, ROW_IN, ROOM_IN = 10.0, 0.3, 1.0


def draw_mutants(document: Mapping[str, Any], title: str) -> bytes:
    """Return the PNG of the command's document."""
    from matplotlib.figure import Figure

    kernels = document["kernels"]
    rows = [_rows(kernel) for kernel in kernels]
    heights = [len(found) * ROW_IN + ROOM_IN for found in rows]
    with style():
        figure = Figure(figsize=(WIDTH_IN, sum(heights) + 0.3), layout="constrained")
        panels = figure.subplots(len(kernels), 1, height_ratios=heights, squeeze=False)[:, 0]
        for axes, kernel, found in zip(panels, kernels, rows, strict=True):
            _panel(axes, f"{title}: --optimize {kernel['engine']}", found)
        panels[-1].set_xlabel(
            "noticed, % of the mutants with a wrong output; the identity is forged to look right"
        )
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(
            handles[::-1],
            labels[::-1],
            loc="outside upper center",
            ncols=len(MARKS),
            fontsize=9,
            frameon=False,
        )
        return png(figure)


def _rows(kernel: Mapping[str, Any]) -> list[tuple[str, Mapping[str, int]]]:
    kinds = [(name, counts) for name, counts in kernel["kinds"].items() if counts["visible"]]
    return [*kinds, ("all", kernel["all"])]


def _panel(axes: Any, title: str, rows: Sequence[tuple[str, Mapping[str, int]]]) -> None:
    for name, (colour, marker, label) in reversed(MARKS.items()):
        x = [100 * counts[name] / max(1, counts["visible"]) for _, counts in rows]
        axes.scatter(
            x, range(len(rows)), color=colour, marker=marker, s=46, label=label, zorder=3, clip_on=False
        )
    axes.set_yticks(range(len(rows)))
    axes.set_yticklabels([f"{name}  ({counts['visible']:,})" for name, counts in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(0, 100)
    axes.set_title(title, loc="left")


def write_report(out: Path, model_text: str, found: list[AuditedKernel], document: Document) -> None:
    """Write mutants.md, mutants.png and mutants.json, which has every outcome; ``model_text`` names the net."""
    write_atomically(out / "mutants.md", markdown(document).encode())
    write_atomically(out / "mutants.png", draw_mutants(document, f"Mutants of {model_text}, int8"))
    kernels = [
        {**kernel, "outcomes": outcomes_text(audited)}
        for kernel, audited in zip(document["kernels"], found, strict=True)
    ]
    text = json.dumps({**document, "kernels": kernels}, indent=1)
    write_atomically(out / "mutants.json", f"{text}\n".encode())
