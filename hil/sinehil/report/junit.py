"""A result as ``junit.xml`` for CI systems: a suite for identity, for float inputs, and for codes."""

import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from sinehil.base.untrusted_text import visible
from sinehil.model.arrays import Bools, Float32s, Indices
from sinehil.model.targets import Target
from sinehil.report.mismatches import MismatchRow, code_rows, float_rows
from sinehil.report.number_text import number_text
from sinehil.verify.result import VerifyResult

LISTED = 20
CODES_PER_CASE = 16
SUITE = "sinehil.verify"


@dataclass(frozen=True)
class _Case:
    """One test case; ``wrong`` is how many of its ``compared`` outputs differ, ``listed`` the first of them."""

    name: str
    note: str = ""
    compared: int = 1
    wrong: int = 0
    listed: list[str] = field(default_factory=list)


def junit_xml(result: VerifyResult) -> bytes:
    """Return the document. A case groups outputs; its failure counts the differing ones and lists the first."""
    suites = {
        "identity": _identity_cases(result),
        "floats": list(_float_cases(result)),
        "codes": list(_code_cases(result)),
    }
    if result.compared == 0:
        suites["floats"] = [_Case("something was compared", wrong=1, listed=["no output was compared"])]
    root = ET.Element("testsuites", name=SUITE, time=f"{result.elapsed_s:.3f}")
    for name, cases in suites.items():
        if cases:
            root.append(_suite(name, cases, result))
    _count(root, [case for cases in suites.values() for case in cases])
    ET.indent(root, " ")
    text = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'.encode()


def _suite(name: str, cases: list[_Case], result: VerifyResult) -> ET.Element:
    suite = ET.Element("testsuite", name=f"{SUITE}.{name}")
    _count(suite, cases)
    properties = ET.SubElement(suite, "properties")
    for key, value in _properties(result).items():
        ET.SubElement(properties, "property", name=key, value=visible(value))
    for case in cases:
        suite.append(_testcase(name, case))
    return suite


def _testcase(suite: str, case: _Case) -> ET.Element:
    element = ET.Element("testcase", classname=f"{SUITE}.{suite}", name=visible(case.name))
    if case.wrong:
        message = f"{case.wrong} of {case.compared} outputs differ; first: {case.listed[0]}"
        failure = ET.SubElement(element, "failure", type="mismatch", message=visible(message))
        rest = case.wrong - len(case.listed)
        lines = [visible(line) for line in case.listed] + ([f"and {rest} more"] if rest > 0 else [])
        failure.text = "\n".join(lines)
    elif case.note:
        ET.SubElement(element, "system-out").text = visible(case.note)
    return element


def _count(element: ET.Element, cases: list[_Case]) -> None:
    failed = sum(case.wrong > 0 for case in cases)
    for key, value in {"tests": len(cases), "failures": failed, "errors": 0, "skipped": 0}.items():
        element.set(key, str(value))


def _properties(result: VerifyResult) -> dict[str, str]:
    return {
        "verdict": result.verdict.value,
        "mode": result.mode.value,
        "oracle": f"{result.oracle} {result.oracle_version}",
        "port": result.port,
        "board": result.identity.board,
        "model_sha256": result.identity.model_sha256,
        **({} if result.seed is None else {"seed": str(result.seed)}),
        **_target_properties(result),
    }


def _target_properties(result: VerifyResult) -> dict[str, str]:
    target, distance = result.aim.target, result.distance
    if target is None:
        return {"target": f"not known: {result.aim.unknown}"}
    worst = {} if distance is None else {"max_abs_error_to_target": number_text(distance.max_abs_error)}
    return {"target": target.plain, **worst}


def _identity_cases(result: VerifyResult) -> list[_Case]:
    """Return cases that all pass: a board that is not the right one ends the run before there is a result."""
    identity = result.identity
    return [
        _Case("protocol version", str(identity.protocol_version)),
        _Case("model", f"sha256 {identity.model_sha256}"),
        _Case("oracle", identity.oracle),
        _Case("weights in flash", f"crc32 {identity.weights_crc32:08x}"),
        _Case(
            "input quantisation", f"scale {identity.input_scale!r}, zero point {identity.input_zero_point}"
        ),
        _Case(
            "output quantisation", f"scale {identity.output_scale!r}, zero point {identity.output_zero_point}"
        ),
    ]


def _float_cases(result: VerifyResult) -> Iterator[_Case]:
    if result.is_wide:
        yield from _wide_cases("float32 samples", result.floats.equal, partial(_float_rows, result))
        return
    floats, x = result.floats, result.floats.x
    special = ~np.isfinite(x) | (np.abs(x) < np.finfo(np.float32).tiny)
    groups = _by_range(result.aim.target, x, ~special)
    groups["zeros, subnormal numbers, infinities, NaN"] = special
    for name, group in groups.items():
        indices = np.flatnonzero(np.repeat(group, result.identity.outputs))
        wrong = indices[~floats.equal.ravel()[indices]]
        rows = _float_rows(result, wrong[:LISTED])
        if len(indices):
            yield _case(name, indices, wrong, rows)


def _by_range(target: Target | None, x: Float32s, which: Bools) -> dict[str, Bools]:
    if target is None:
        return {"all other x": which}
    inside, range_ = target.covers(x), target.range_text
    return {f"x in {range_}": which & inside, f"x outside {range_}": which & ~inside}


def _code_cases(result: VerifyResult) -> Iterator[_Case]:
    codes = result.codes
    if codes is None:
        return
    if result.is_wide:
        yield from _wide_cases("samples of codes", codes.error_lsb == 0, partial(code_rows, codes))
        return
    outputs = result.identity.outputs
    for start in range(0, len(codes.x_q), CODES_PER_CASE):
        end = min(start + CODES_PER_CASE, len(codes.x_q))
        indices: Indices = np.arange(start * outputs, end * outputs)
        wrong = indices[codes.error_lsb.ravel()[indices] != 0]
        name = f"codes {codes.x_q[start]} to {codes.x_q[end - 1]}"
        yield _case(name, indices, wrong, code_rows(codes, wrong[:LISTED]))


def _wide_cases(what: str, equal: Bools, rows: Callable[[Indices], Iterator[MismatchRow]]) -> Iterator[_Case]:
    """Yield a case for each output of a model with several inputs."""
    columns = equal.reshape(len(equal), -1)
    places = np.arange(columns.size).reshape(columns.shape)
    for output in range(columns.shape[1]):
        indices = places[:, output]
        wrong = indices[~columns[:, output]]
        if len(indices):
            yield _case(f"{what}, output {output}", indices, wrong, rows(wrong[:LISTED]))


def _float_rows(result: VerifyResult, indices: Indices) -> Iterator[MismatchRow]:
    return float_rows(result.floats, indices, result.identity.output_scale)


def _case(name: str, indices: Indices, wrong: Indices, rows: Iterator[MismatchRow]) -> _Case:
    note = f"{len(indices)} outputs compared as bits, all equal"
    return _Case(name, note, len(indices), len(wrong), [row.sentence for row in rows])
