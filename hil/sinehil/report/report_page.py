"""Render ``report.html``: one file with the whole run, which loads nothing."""

from dataclasses import dataclass

import numpy as np

from sinehil import __version__
from sinehil.report import claims
from sinehil.report.charts import plots_of
from sinehil.report.coverage import ALL_CODES, ALL_STEPS, Coverage, Sampled, coverage_of
from sinehil.report.html_parts import SHARED, Facts, Tile, render
from sinehil.report.mismatches import MismatchRow, first_mismatches, float_rows
from sinehil.report.number_text import number_text, oracle_label
from sinehil.report.output_figures import output_rows
from sinehil.verify import Verdict
from sinehil.verify.result import BoardCounters, VerifyResult

LISTED = 50
SHORT_SHA = 12


@dataclass(frozen=True)
class Bar:
    """A part of a whole, in bytes."""

    name: str
    used: int
    limit: int

    @property
    def percent(self) -> float:
        """Return the share in percent, 0 to 100."""
        return min(100.0, 100 * self.used / self.limit) if self.limit > 0 else 0.0


def page_html(result: VerifyResult) -> str:
    """Return the page. Every string in it is escaped, and has its invisible characters spelled out."""
    coverage = coverage_of(result)
    rows = first_mismatches(result, LISTED)
    return render(
        "report.html.j2",
        SHARED,
        ("report.css",),
        result=result,
        passed=result.verdict is Verdict.PASS,
        headline=claims.headline(result),
        scope=claims.scope(result, coverage),
        proven=claims.proven(result, coverage),
        not_proven=claims.not_proven(result, coverage),
        short_sha=result.identity.model_sha256[:SHORT_SHA],
        tiles=tiles(result),
        mismatch_rows=rows,
        mismatches_left=result.mismatches - len(rows),
        sample_rows=_sample_rows(result),
        plots=plots_of(result),
        bars=bars(result),
        output_rows=output_rows(result),
        coverage=coverage_facts(result, coverage),
        identity=identity_facts(result),
        run=run_facts(result),
        version=__version__,
    )


def tiles(result: VerifyResult) -> list[Tile]:
    """Return the figures at a glance, the decisive ones first."""
    found = [
        Tile("outputs compared", f"{result.compared:,}", ""),
        Tile("that differ", f"{result.mismatches:,}", ""),
        Tile("largest difference", str(result.max_error_lsb), "LSB"),
    ]
    if (target := result.aim.target) is not None and (distance := result.distance) is not None:
        words = f"largest distance from {target.label}"
        found.append(Tile(words, number_text(distance.max_abs_error, 3), ""))
    if (cycles := result.cycles) is not None:
        found.append(
            Tile("cycles per inference", f"{cycles.mean:,.0f}", _microseconds(cycles.mean, cycles.clock_hz))
        )
    if (size := result.firmware) is not None:
        found.append(Tile("flash", f"{size.flash_bytes:,}", "bytes"))
        found.append(Tile("RAM", f"{size.ram_bytes:,}", "bytes"))
    return [*found, Tile("time of the run", f"{result.elapsed_s:.2f}", "s")]


def bars(result: VerifyResult) -> list[Bar]:
    """Return how full the board's memories are, if the image is known."""
    size = result.firmware
    if size is None:
        return []
    return [
        Bar("flash", size.flash_bytes, size.flash_max_bytes),
        Bar("static RAM", size.ram_bytes, size.ram_max_bytes),
    ]


def coverage_facts(result: VerifyResult, coverage: Coverage) -> Facts:
    """Return how complete the comparison is, as counted from its inputs."""
    if coverage.sampled is not None:
        return _sampled_facts(result, coverage.sampled)
    return [
        ("mode", result.mode.value),
        ("int8 codes compared", f"{coverage.codes} of {ALL_CODES}"),
        ("quantiser steps with both neighbours compared", f"{coverage.steps} of {ALL_STEPS}"),
        ("float32 inputs compared", f"{len(result.floats.x):,}"),
        ("special values among them", ", ".join(coverage.specials) or "none"),
        ("these inputs decide every int8 code and every float32 x", "yes" if coverage.complete else "no"),
    ]


def _sampled_facts(result: VerifyResult, sampled: Sampled) -> Facts:
    proof = result.proof
    return [
        ("mode", result.mode.value),
        ("different samples of int8 codes compared", f"{sampled.codes:,}"),
        ("seed", "none" if result.seed is None else str(result.seed)),
        ("quantiser steps with both neighbours compared", f"{sampled.steps} of {ALL_STEPS}"),
        ("inputs at which such a step was seen", f"{sampled.positions} of {result.identity.inputs}"),
        ("float32 samples compared", f"{len(result.floats.x):,}"),
        ("special values among them", ", ".join(sampled.specials) or "none"),
        ("neurons whose requantisation is proven", "not known" if proof is None else f"{proof.neurons}"),
        ("accumulators that the proof covers", "not known" if proof is None else f"{proof.accumulators:,}"),
    ]


def identity_facts(result: VerifyResult) -> Facts:
    """Return what the board said of itself."""
    identity = result.identity
    return [
        ("board", identity.board),
        ("port", result.port),
        ("firmware", identity.firmware),
        ("protocol", str(identity.protocol_version)),
        ("engine", identity.engine),
        ("made for oracle", identity.oracle),
        ("compared with", oracle_label(result.oracle, result.oracle_version)),
        ("model sha256", identity.model_sha256),
        ("inputs and outputs", f"{identity.inputs} and {identity.outputs}"),
        ("weights in flash, CRC-32", f"{identity.weights_crc32:08x}"),
        ("input", f"scale {identity.input_scale!r}, zero point {identity.input_zero_point}"),
        ("output", f"scale {identity.output_scale!r}, zero point {identity.output_zero_point}"),
    ]


def _counter_facts(counters: BoardCounters) -> Facts:
    return [
        ("RAM that the board's deepest stack left", f"{counters.least_free_ram_bytes:,} bytes"),
        ("bytes that found the board's receive ring full", f"{counters.ring_overruns:,}"),
        ("times that the board's UART lost bytes", f"{counters.uart_overruns:,}"),
        ("bytes that came to the board without a stop bit", f"{counters.framing_errors:,}"),
    ]


def run_facts(result: VerifyResult) -> Facts:
    """Return timings, link statistics and the distance from the target."""
    link = result.link
    facts = [("time of the run", f"{result.elapsed_s:.3f} s")]
    if (cycles := result.cycles) is not None:
        facts += [
            ("cycles per inference, mean", _cycles_text(f"{cycles.mean:,.1f}", cycles.mean, cycles.clock_hz)),
            ("cycles per inference, most", _cycles_text(f"{cycles.max:,}", cycles.max, cycles.clock_hz)),
            ("clock", f"{cycles.clock_hz / 1e6:g} MHz"),
        ]
    return [
        *facts,
        ("frames on the link", f"{link.frames:,}"),
        ("retries", f"{link.retries:,}"),
        ("CRC errors", f"{link.crc_errors:,}"),
        *([] if result.counters is None else _counter_facts(result.counters)),
        *_distance_facts(result),
    ]


def _distance_facts(result: VerifyResult) -> Facts:
    target, distance = result.aim.target, result.distance
    if target is None:
        return [("function to be learned", f"not known: {result.aim.unknown}")]
    if distance is None:
        return [(f"distance from {target.label}", f"no compared x in {target.range_label}")]
    errors = {"max": distance.max_abs_error, "rmse": distance.rmse, "mean": distance.mae}
    return [
        (f"distance from {target.label}, {name}", number_text(value, 4)) for name, value in errors.items()
    ]


def _sample_rows(result: VerifyResult) -> list[MismatchRow]:
    """Return all outputs as rows where they are few enough to be read one by one."""
    floats = result.floats
    if result.codes is not None or floats.device_y.size > LISTED:
        return []
    indices = (
        np.arange(floats.device_y.size)
        if floats.device_y.ndim > 1 or floats.x.ndim > 1
        else floats.x.argsort(kind="stable")
    )
    return list(float_rows(result.floats, indices, result.identity.output_scale))


def _cycles_text(count: str, cycles: float, clock_hz: int) -> str:
    time = _microseconds(cycles, clock_hz)
    return f"{count} = {time}" if time else count


def _microseconds(cycles: float, clock_hz: int) -> str:
    return f"{cycles / clock_hz * 1e6:,.1f} \u00b5s" if clock_hz > 0 else ""
