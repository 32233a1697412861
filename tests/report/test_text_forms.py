"""report.json, junit.xml and the terminal lines: strict, complete, and never better than the result."""

import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import report_cases as cases

from sinehil.base.untrusted_text import visible
from sinehil.errors import ArtefactError
from sinehil.model.targets import TARGETS, Aim
from sinehil.report import result_json, summary_lines, write_report
from sinehil.report.json_report import report_json
from sinehil.report.junit import junit_xml
from sinehil.verify import Verdict
from sinehil.verify.result import FloatComparison, VerifyResult

PUBLIC_KEYS = {
    "verdict", "oracle", "oracle_version", "mode", "port", "compared", "mismatches", "max_error_lsb", "sine", "target",
    "device", "link", "elapsed_s", "firmware", "cycles", "counters", "seed", "proof", "coverage",
}  # fmt: skip
HOSTILE = "<script>alert(1)</script>\"><img src=x onerror=alert(2)>\x00\x1b[31m\u202e\udc80\ufffe]]>&amp;'\n"


def strict(text: str) -> Any:
    def refuse(token: str) -> None:
        raise AssertionError(f"{token} is not JSON")

    return json.loads(text, parse_constant=refuse)


def suites(result: VerifyResult) -> dict[str, ET.Element]:
    return {suite.attrib["name"]: suite for suite in ET.fromstring(junit_xml(result))}


def test_the_parser_of_these_tests_refuses_what_is_not_json() -> None:
    with pytest.raises(AssertionError, match="NaN"):
        strict('{"x": NaN}')


def test_public_keys() -> None:
    document = result_json(cases.exhaustive())
    assert document.keys() == PUBLIC_KEYS
    assert document["verdict"] == "PASS"
    assert document["sine"].keys() == {"max_abs_error", "rmse", "mae"}
    assert document["link"] == {"frames": 61, "retries": 0, "crc_errors": 0}
    assert document["counters"] == {
        "least_free_ram_bytes": 1013, "ring_overruns": 2, "uart_overruns": 3, "framing_errors": 1
    }  # fmt: skip
    assert "counted 1,013 bytes of RAM free at the least, 5 overruns, 1 framing error" in "\n".join(
        summary_lines(cases.exhaustive())
    )
    assert document["device"]["weights_crc32"] == "1234abcd"
    assert document["cycles"]["mean_us"] == pytest.approx(2866.08, abs=0.01)
    assert result_json(cases.samples()).keys() == PUBLIC_KEYS - {"firmware", "cycles", "counters"}


def test_json_names_the_target_and_its_errors() -> None:
    sin, cos, file = (
        result_json(make(cases.exhaustive())) for make in (lambda r: r, cases.for_cos, cases.from_a_file)
    )
    assert sin["target"] == {"name": "sin", "low": 0.0, "high": 2 * np.pi, **sin["sine"]}
    assert cos["target"] == sin["target"] | {"name": "cos"} and cos["sine"] is None
    assert file["target"] is file["sine"] is None and file.keys() == sin.keys()


def test_terminal_and_junit_name_the_target() -> None:
    run = cases.exhaustive()
    for result, words, group in (
        (run, "sin x: max error", "x in [0, 2 pi]"),
        (cases.for_cos(run), "cos x: max error", "x in [0, 2 pi]"),
        (replace(run, aim=Aim(TARGETS["gaussian"])), "exp(-x^2/2): max error", "x in [-4, 4]"),
        (cases.from_a_file(run), "not known: its samples came from a file", "all other x"),
    ):
        assert any(line.startswith(f"  target  {words}") for line in summary_lines(result))
        assert all(line.isascii() for line in summary_lines(result))
        assert group in [
            case.attrib["name"] for case in suites(result)["sinehil.verify.floats"].iter("testcase")
        ]


def test_report_json_gives_back_every_compared_bit() -> None:
    result = cases.with_device_y(cases.exhaustive(), {3: np.nan, 4: np.inf, 5: 0.1})
    document = strict(report_json(result))
    floats = document["comparisons"]["floats"]
    for name in ("x", "device_y", "oracle_y"):
        column = getattr(result.floats, name)
        assert [int(bits, 16) for bits in floats[f"{name}_bits"]] == column.view(np.uint32).tolist()
        finite = np.isfinite(column)
        values = np.array([v for v in floats[name] if not isinstance(v, str)], dtype=np.float32)
        assert values.tobytes() == column[finite].tobytes()
    assert floats["device_y"][3:6] == ["NaN", "+inf", 0.1]
    assert document["comparisons"]["codes"]["device_y_q"] == result.codes.device_y_q.tolist()  # type: ignore[union-attr]
    assert floats["equal"].count(False) == document["mismatches"] == 3


def test_json_of_a_run_whose_sine_error_has_no_number() -> None:
    result = cases.exhaustive()
    object.__setattr__(result.distance, "rmse", float("nan"))
    assert strict(report_json(result))["sine"]["rmse"] == "NaN"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
def test_a_float_without_distance_counts_as_the_largest(value: float) -> None:
    assert cases.with_device_y(cases.exhaustive(), {7: value}).max_error_lsb == 255


def test_float_rounding_is_not_a_step_more() -> None:
    result = cases.samples(12)
    off = result.floats.oracle_y[4] + cases.OUT_SCALE
    assert cases.with_device_y(result, {4: off}).max_error_lsb == 1
    assert cases.with_device_y(result, {4: np.nextafter(result.floats.oracle_y[4], 9)}).mismatches == 1


def test_columns_of_different_length_are_refused() -> None:
    x = np.zeros(3, dtype=np.float32)
    with pytest.raises(ValueError, match="one length"):
        FloatComparison(x, x, x[:1])


def test_junit_of_a_pass() -> None:
    root = ET.fromstring(junit_xml(cases.exhaustive()))
    found = suites(cases.exhaustive())
    assert list(found) == ["sinehil.verify.identity", "sinehil.verify.floats", "sinehil.verify.codes"]
    for suite in found.values():
        assert int(suite.attrib["tests"]) == len(suite.findall("testcase")) > 0
        assert suite.attrib["failures"] == "0"
    assert int(root.attrib["tests"]) == sum(int(suite.attrib["tests"]) for suite in root)
    assert not root.findall(".//failure")


def test_junit_of_a_fail_counts_and_lists() -> None:
    result = cases.exhaustive(cases.wrong_net)
    root = ET.fromstring(junit_xml(result))
    failures = root.findall(".//failure")
    assert int(root.attrib["failures"]) == len(failures) > 0
    stated = [int(failure.attrib["message"].split(" of ")[0]) for failure in failures]
    assert sum(stated) == result.mismatches
    assert "device" in (failures[0].text or "") and "interpreter" in (failures[0].text or "")
    assert any("more" in (failure.text or "").splitlines()[-1] for failure in failures)
    assert not suites(result)["sinehil.verify.identity"].findall(".//failure")


def test_junit_fails_when_nothing_was_compared() -> None:
    result = cases.samples(0)
    assert result.verdict is Verdict.FAIL
    assert ET.fromstring(junit_xml(result)).attrib["failures"] == "1"


@pytest.mark.parametrize("text", [HOSTILE, *map(chr, range(32)), "\x7f\x85", "\ud800", "\uffff", "\u2028"])
def test_hostile_strings_stay_text(text: str) -> None:
    result = cases.hostile(cases.exhaustive(cases.wrong_net), text)
    suite = ET.fromstring(junit_xml(result))[0]
    properties = {item.attrib["name"]: item.attrib["value"] for item in suite.iter("property")}
    assert properties["port"] == visible(text)
    assert strict(report_json(result))["port"] == text
    assert all(line.isprintable() for line in summary_lines(result))


def test_visible_leaves_plain_text_alone() -> None:
    assert visible("/dev/ttyACM0 \u00b5s \u2212 \u03c0") == "/dev/ttyACM0 \u00b5s \u2212 \u03c0"
    assert visible("a\x1b\u202e\udc80") == "a\\x1b\\u202e\\udc80"


def test_summary_starts_with_the_verdict() -> None:
    passed, failed = summary_lines(cases.exhaustive()), summary_lines(cases.exhaustive(cases.wrong_net))
    assert passed[0] == "PASS  784 of 784 outputs equal to LiteRT 2.3.0 bit for bit."
    assert failed[0].startswith("FAIL  249 of 784 outputs differ")
    assert "      and 244 more" in failed
    assert all(line.isascii() for line in passed + failed)


def test_three_files_and_no_leftovers(tmp_path: Path) -> None:
    page = write_report(cases.exhaustive(), tmp_path / "report")
    assert page == tmp_path / "report" / "report.html"
    assert sorted(path.name for path in page.parent.iterdir()) == ["junit.xml", "report.html", "report.json"]
    first = {path.name: path.read_bytes() for path in page.parent.iterdir()}
    write_report(cases.exhaustive(), page.parent)
    assert {path.name: path.read_bytes() for path in page.parent.iterdir()} == first


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ArtefactError, match="cannot write"):
        write_report(cases.exhaustive(), tmp_path / "file" / "report")
