"""A result as strict JSON, in which no NaN or Infinity token occurs."""

import json
import math
from collections.abc import Callable, Iterable
from dataclasses import asdict, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sinehil.model.targets import TARGETS
from sinehil.report.coverage import coverage_of
from sinehil.report.mismatches import float_error_lsb
from sinehil.report.number_text import bits_text, float32_text
from sinehil.verify.result import CodeComparison, Cycles, Distance, FloatComparison, VerifyResult

SCHEMA = 1


def result_json(result: VerifyResult) -> dict[str, Any]:
    """Return the public keys of ``verify --json``; ``firmware``, ``cycles`` and ``counters`` only when known.

    ``target`` is null where no function is known, ``sine`` where it is another one than sin. Numbers that JSON has
    no form for are the strings ``"NaN"``, ``"+inf"`` and ``"-inf"``.
    """
    document: dict[str, Any] = {
        "verdict": result.verdict.value,
        "oracle": result.oracle,
        "oracle_version": result.oracle_version,
        "mode": result.mode.value,
        "port": result.port,
        "compared": result.compared,
        "mismatches": result.mismatches,
        "max_error_lsb": result.max_error_lsb,
        "target": _target(result),
        "sine": _sine(result),
        "device": asdict(result.identity) | {"weights_crc32": f"{result.identity.weights_crc32:08x}"},
        "link": asdict(result.link),
        "elapsed_s": result.elapsed_s,
        "seed": result.seed,
        "proof": None if result.proof is None else asdict(result.proof),
        "coverage": _coverage(result),
    }
    if result.firmware is not None:
        document["firmware"] = asdict(result.firmware)
    if result.cycles is not None:
        document["cycles"] = _cycles(result.cycles)
    if result.counters is not None:
        document["counters"] = asdict(result.counters)
    strict = _strict(document)
    assert isinstance(strict, dict)
    return strict


def report_json(result: VerifyResult) -> str:
    """Return ``report.json``: the public keys and every compared value, floats also as their bits.

    Values are lists, where a sample has several inputs or outputs of lists.
    """
    comparisons = {"floats": _floats(result.floats, result.identity.output_scale)}
    if result.codes is not None:
        comparisons["codes"] = _codes(result.codes)
    document = {"schema": SCHEMA} | result_json(result) | {"comparisons": comparisons}
    indent = None if result.is_wide else 1  # a line for each of a million values would triple the file
    return json.dumps(document, indent=indent, allow_nan=False) + "\n"


def _coverage(result: VerifyResult) -> dict[str, Any]:
    """Return what the inputs decide: whether everything, and how many codes, steps and, of several inputs, places."""
    found = coverage_of(result)
    sampled = found.sampled
    return {
        "complete": found.complete,
        "codes": found.codes if sampled is None else sampled.codes,
        "quantizer_steps": found.steps,
        "inputs_with_a_step": int(found.steps > 0) if sampled is None else sampled.positions,
    }


def _target(result: VerifyResult) -> dict[str, Any] | None:
    target, distance = result.aim.target, result.distance
    if target is None:
        return None
    errors = dict.fromkeys(field.name for field in fields(Distance)) if distance is None else asdict(distance)
    return {"name": target.name, "low": target.low, "high": target.high, **errors}


def _sine(result: VerifyResult) -> dict[str, Any] | None:
    target, distance = result.aim.target, result.distance
    return asdict(distance) if distance is not None and target is TARGETS["sin"] else None


def _cycles(cycles: Cycles) -> dict[str, Any]:
    per_us = cycles.clock_hz / 1e6
    if per_us <= 0:
        return asdict(cycles)
    return asdict(cycles) | {"mean_us": cycles.mean / per_us, "max_us": cycles.max / per_us}


def _floats(floats: FloatComparison, output_scale: float) -> dict[str, list[Any]]:
    columns = {"x": floats.x, "device_y": floats.device_y, "oracle_y": floats.oracle_y}
    values = {name: _nested(column, _float32) for name, column in columns.items()}
    bits = {f"{name}_bits": _nested(column, bits_text) for name, column in columns.items()}
    error = _nested(float_error_lsb(floats, output_scale), lambda value: _strict(float(value)))
    return values | bits | {"error_lsb": error, "equal": floats.equal.tolist()}


def _codes(codes: CodeComparison) -> dict[str, list[Any]]:
    columns: tuple[NDArray[np.signedinteger[Any]], ...] = (
        codes.x_q,
        codes.device_y_q,
        codes.oracle_y_q,
        codes.error_lsb,
    )
    names = ("x_q", "device_y_q", "oracle_y_q", "error_lsb")
    return {name: column.tolist() for name, column in zip(names, columns, strict=True)}


def _nested(column: NDArray[Any], text: Callable[[Any], Any]) -> list[Any]:
    """Return the values, of [n, k] as lists of k."""
    return [text(value) if np.ndim(value) == 0 else _nested(value, text) for value in column]


def _float32(value: np.float32) -> float | str:
    """Return the shortest decimal of a float32, so that 0.1 is not 0.10000000149."""
    return float(str(value)) if np.isfinite(value) else float32_text(value)


def _strict(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _strict(item) for key, item in value.items()}
    if isinstance(value, float | np.floating):
        number = float(value)
        return number if math.isfinite(number) else float32_text(number)
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [_strict(item) for item in value]
    return value
