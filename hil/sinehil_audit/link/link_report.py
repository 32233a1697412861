"""Write the audit of the link as text: a table for the terminal, a Markdown page for the docs."""

from collections.abc import Sequence

from sinehil.model.tflite import QuantizedModel
from sinehil_audit.link.link_audit import FaultCounts, LinkAudit, Tally
from sinehil_audit.link.residual import CHANCE, INFERENCE_BYTES, Residual, Throughput

ABOUT = """\
# Faulty links
What `sinehil audit link` found: the real command handler of the firmware and the real `verify` of the host in one
process, with a simulated line between them (115200 baud, the board's ring of 63 bytes, its time to compute) that fails
on purpose. What became of every run is checked against known answers: each board's answers are known before, what
each board was really asked is written down at its end of the line by a parser of its own, and of the boards two in five
compute something else than they say, or have another model.

- *faulted*: requests of which, or of whose reply, something else arrived than was sent, or at another time.
- *PASS*: every comparison was made with the right board, within one of its lives, and its y are the interpreter's.
  *FAIL (true)*: the board does compute something else. *LINK*, *IDENTITY*: the run ended with that error; no IDENTITY
  about a board that was right and had answered the handshake.
- *wrong*: values that counted although no board had given them to just that question. *worst*: the longest run, in
  seconds of simulated time. No run may take longer than hil/PROTOCOL.md states.
"""

ON_BOARDS = """\
## In front of boards
The first of the same cases with real ports: three virtual Unos, flashed through their bootloader with the right kernel,
with one that is wrong for one code, and with another model; `FaultyTransport`, which wraps any port, makes the faults,
resets the board and plugs in another one, and a recorder between it and the board writes down what that one was really
asked. Time is the clock's.
"""

HEADER = (
    "fault",
    "verifies",
    "requests",
    "faulted",
    "retries",
    "PASS",
    "FAIL (true)",
    "LINK",
    "IDENTITY",
    "wrong",
    "worst s",
)


def table(tally: Tally) -> str:
    """Return a Markdown table with columns of even width, so that it is a table on a terminal too."""
    named = [(name, row) for name, row in tally.rows.items() if row.verifies]
    lines = [HEADER, *(_cells(name, row) for name, row in [*named, ("all", tally.total)])]
    return even(lines)


def _cells(name: str, row: FaultCounts) -> tuple[str, ...]:
    counts = (
        row.verifies,
        row.requests,
        row.faulted,
        row.retries,
        row.passes,
        row.fails,
        row.links,
        row.identities,
        row.wrong_accepts,
    )
    return (name, *(f"{count:,}" for count in counts), f"{row.worst_s:.1f}")


def even(rows: Sequence[Sequence[str]]) -> str:
    """Return rows, the first of them the header, as a Markdown table; all columns but the first are numbers."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    lines = [rows[0], rule, *rows[1:]]
    return "\n".join(
        "| "
        + " | ".join(
            [line[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(line[1:], widths[1:], strict=True))]
        )
        + " |"
        for line in lines
    )


def page(audited: LinkAudit, model: QuantizedModel, residual: Residual, noisy: Sequence[Throughput]) -> str:
    """Return the whole page as Markdown."""
    head = f"Model sha256 {model.sha256}, seed {audited.seed}: {_sums(audited.simulated)}.\n"
    boards = (
        [ON_BOARDS, f"{_sums(audited.on_boards)}.\n", table(audited.on_boards), ""]
        if audited.on_boards
        else []
    )
    return "\n".join(
        [ABOUT, head, table(audited.simulated), "", *boards, _noise_text(noisy), _residual_text(residual)]
    )


def _sums(tally: Tally) -> str:
    total = tally.total
    return f"{total.sentence}, {total.wrong_accepts} wrong values, {len(tally.found)} violations"


def _noise_text(noisy: Sequence[Throughput]) -> str:
    rows = [("bit error rate", "verifications", "PASS", "median time", "longest")]
    rows += [
        (
            f"{item.rate:g}",
            f"{item.verifies:,}",
            f"{item.passes:,}",
            f"{item.median:.2f}",
            f"{item.worst:.2f}",
        )
        for item in noisy
    ]
    return (
        f"## Throughput\nExhaustive verifications of the right board; times are multiples of that on a clean line, "
        f"{noisy[0].clean_s:.2f} s, all simulated.\n\n{even(rows)}\n"
    )


def _residual_text(residual: Residual) -> str:
    flips, patterns = residual.flips, residual.patterns
    certain = min(weight for weight, count in patterns.items() if count)
    reached, passed = (
        sum(getattr(item, name) for item in residual.shortened) for name in ("reached", "passed")
    )
    rows = [("bit error rate", "undetected, per frame")]
    rows += [(f"{rate:g}", f"{value:.1e}") for rate, value in residual.rates.items()]
    bits, no_frame, one, many = (
        f"{flips.bits:,}",
        *(_share(count, flips.bits) for count in (flips.framing, flips.one_bit, flips.spread)),
    )
    return f"""\
## What no checksum can exclude
A frame of an inference has up to {INFERENCE_BYTES} bytes before its CRC-32. Fewer than {certain} wrong bits are noticed
for certain: all patterns were tried, and Koopman has the same ("32-Bit Cyclic Redundancy Codes for Internet
Applications", DSN 2002). Of {certain} wrong bits {patterns[certain]:,} patterns pass. Byte stuffing makes many wrong
bits of some single ones: of {bits} single bits of real frames, flipped on the wire, {no_frame} left no frame, {one}
stayed one wrong bit, and {many} became many, which the checksum misses with a probability of {CHANCE:.1e}. Together,
with heavier patterns taken to pass as often as that:

{even(rows)}

An undetected one must also carry the right session, and a reply the checksum of just its request. As a check of the
theory, damaged frames were compared by their checksum folded to 8 bits: {passed:,} of {reached:,} passed, 1 in
{reached / passed:.0f}, by theory 1 in 256. In all 32 bits none passed.
"""


def _share(count: int, total: int) -> str:
    return f"{100 * count / total:.1f} %"
