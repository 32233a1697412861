"""A result as the lines of a terminal: plain ASCII, aligned, the most important line first."""

from sinehil.base.untrusted_text import visible
from sinehil.report.claims import TABLE, headline, scope
from sinehil.report.coverage import coverage_of
from sinehil.report.mismatches import first_mismatches
from sinehil.report.number_text import counters_text, number_text
from sinehil.verify.result import VerifyResult

SHOWN_MISMATCHES = 5


def summary_lines(result: VerifyResult) -> list[str]:
    """Return the lines to print; the first starts with the verdict."""
    lines = [f"{result.verdict.value}  {headline(result)}"]
    lines += [f"      {row.sentence}" for row in first_mismatches(result, SHOWN_MISMATCHES)]
    rest = result.mismatches - SHOWN_MISMATCHES
    if rest > 0:
        lines.append(f"      and {rest} more")
    return [visible(line) for line in lines + [f"  {name:<8}{text}" for name, text in _facts(result)]]


def _facts(result: VerifyResult) -> list[tuple[str, str]]:
    identity, link = result.identity, result.link
    return [
        ("scope", scope(result, coverage_of(result))),
        (
            "board",
            f"{identity.board} on {result.port}, firmware {identity.firmware}, engine {_engine(identity.engine)}",
        ),
        ("model", f"sha256 {identity.model_sha256}"),
        ("target", _distance(result)),
        *_size_and_cycles(result),
        ("link", f"{link.frames} frames, {link.retries} retries, {link.crc_errors} crc errors"),
        *([] if result.counters is None else [("counted", counters_text(result.counters))]),
        ("time", f"{result.elapsed_s:.2f} s"),
    ]


def _engine(name: str) -> str:
    return f"{name} (the model's 256 answers, no longer the model)" if name == TABLE else name


def _distance(result: VerifyResult) -> str:
    target, distance = result.aim.target, result.distance
    if target is None:
        return f"not known: {result.aim.unknown}"
    if distance is None:
        return f"{target.plain}: no compared x in {target.range_text}"
    errors = (distance.max_abs_error, distance.rmse, distance.mae)
    worst, rmse, mae = (number_text(value, 3) for value in errors)
    return f"{target.plain}: max error {worst}, rmse {rmse}, mae {mae} (information, not the verdict)"


def _size_and_cycles(result: VerifyResult) -> list[tuple[str, str]]:
    facts = []
    if (size := result.firmware) is not None:
        flash = f"{size.flash_bytes:,} of {size.flash_max_bytes:,} bytes flash"
        facts.append(("size", f"{flash}, {size.ram_bytes:,} of {size.ram_max_bytes:,} bytes RAM"))
    if (cycles := result.cycles) is not None:
        at = f" = {cycles.mean / cycles.clock_hz * 1e6:,.1f} us" if cycles.clock_hz > 0 else ""
        facts.append(("speed", f"{cycles.mean:,.0f} cycles{at} per inference, at most {cycles.max:,}"))
    return facts
