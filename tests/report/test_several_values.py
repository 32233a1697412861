"""Reports on models with several inputs or outputs: what they claim, count and show."""

import json
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest
import report_cases as cases

from sinehil.report import result_json, summary_lines
from sinehil.report.claims import headline, not_proven, proven, scope
from sinehil.report.coverage import coverage_of
from sinehil.report.json_report import report_json
from sinehil.report.junit import junit_xml
from sinehil.report.output_figures import output_rows
from sinehil.report.report_page import page_html
from sinehil.verify import Mode, Verdict
from sinehil.verify.result import CodeComparison, FloatComparison, Proof, VerifyResult

PROOF = Proof(neurons=19, accumulators=151_234)


@pytest.fixture(scope="module")
def wide() -> VerifyResult:
    return cases.wide()


@pytest.fixture(scope="module")
def wrong() -> VerifyResult:
    return cases.wide(cases.wrong_mixed)


def said(result: VerifyResult) -> str:
    coverage = coverage_of(result)
    return "\n".join([scope(result, coverage), *proven(result, coverage), *not_proven(result, coverage)])


def test_a_sampled_run_is_never_called_complete(wide: VerifyResult) -> None:
    for result in (wide, replace(wide, proof=PROOF)):
        text = said(result)
        assert "Complete" not in text and "Every int8 code" not in text
        assert scope(result, coverage_of(result)).startswith("A sample: 10,000 of 256^5 inputs, seed 137;")
        assert "of the 256^5 combinations of codes, 10,000 were compared" in text
        assert result_json(result)["coverage"]["complete"] is False


def test_what_is_proven_of_the_kernel_is_told_apart_from_the_run(wide: VerifyResult) -> None:
    proof = "the requantisation of each of 19 neurons equals that of LiteRT 2.3.0 for every accumulator"
    assert proof in said(replace(wide, proof=PROOF)) and "151,234 in all" in said(replace(wide, proof=PROOF))
    assert "proof, before this run" not in said(wide) and "Nothing is known here of a proof" in said(wide)
    assert result_json(replace(wide, proof=PROOF))["proof"] == {"neurons": 19, "accumulators": 151_234}
    assert result_json(wide)["proof"] is None


def test_quantiser_steps_are_counted_where_outputs_show_them(wide: VerifyResult) -> None:
    sampled = coverage_of(wide).sampled
    assert sampled is not None and (sampled.steps, sampled.positions) == (255, 5)
    assert "Every float32 x: at 255 of its 255 steps" in said(wide)
    assert result_json(wide)["coverage"] == {
        "complete": False,
        "codes": 10_000,
        "quantizer_steps": 255,
        "inputs_with_a_step": 5,
    }


@pytest.mark.parametrize("spoilt", ["outputs alike", "another input changed too", "not neighbours"])
def test_a_step_that_nothing_shows_is_not_counted(wide: VerifyResult, spoilt: str) -> None:
    """Negative control: the first pair of floats, made worthless in one way each."""
    x, device, oracle = (c.copy() for c in (wide.floats.x, wide.floats.device_y, wide.floats.oracle_y))
    if spoilt == "outputs alike":
        device[1], oracle[1] = device[0], oracle[0]
    elif spoilt == "another input changed too":
        x[1, 4] += 1
    else:
        x[0, 0] = np.nextafter(x[0, 0], np.float32(-10))
    result = replace(wide, floats=FloatComparison(x, device, oracle))
    assert coverage_of(result).steps == 254
    assert "are not decided by this run" in said(result) and "Every float32 x" not in said(result)


def test_samples_of_a_wide_model_prove_only_themselves(wide: VerifyResult) -> None:
    result = replace(wide, mode=Mode.SAMPLES, codes=None)
    assert scope(result, coverage_of(result)).startswith("A sample: equality is proven for the inputs")
    assert "Any input that was not sent." in said(result)


def test_one_input_and_several_outputs_is_complete() -> None:
    result = cases.several_outputs()
    assert coverage_of(result).complete and result.compared == 3 * (256 + len(result.floats.x))
    assert "decides all 3 outputs for all 256 int8 codes" in scope(result, coverage_of(result))


def test_a_wrong_output_is_found_named_and_counted(wrong: VerifyResult) -> None:
    assert wrong.verdict is Verdict.FAIL
    assert headline(wrong).startswith(f"{wrong.mismatches:,} of {wrong.compared:,} outputs differ")
    lines = summary_lines(wrong)
    assert all(", output 2: device" in line for line in lines[1:6])
    assert "Every float32" not in said(wrong)
    rows = output_rows(wrong)
    assert [row.differ for row in rows] == [0, 0, wrong.mismatches]
    assert [row.worst for row in rows[:2]] == ["0", "0"] and rows[2].worst not in ("0", "")


@pytest.mark.parametrize("make", [cases.wide, cases.several_outputs])
def test_every_form_counts_the_same(make) -> None:  # type: ignore[no-untyped-def]
    for device in (cases.mixed, cases.wrong_mixed):
        result = make(device)
        document = json.loads(report_json(result))
        assert document["compared"] == result.compared and document["mismatches"] == result.mismatches
        codes, floats = (document["comparisons"][name] for name in ("codes", "floats"))
        shapes = [np.shape(codes["oracle_y_q"]), np.shape(floats["oracle_y"])]
        assert shapes == [np.shape(result.codes.oracle_y_q), np.shape(result.floats.oracle_y)]
        wrong = np.count_nonzero(codes["error_lsb"]) + np.size(floats["equal"]) - np.sum(floats["equal"])
        assert wrong == result.mismatches
        suites = ET.fromstring(junit_xml(result)).findall(".//testcase[failure]")
        listed = sum(int(case[0].attrib["message"].split(" of ")[0]) for case in suites)
        assert listed == result.mismatches
        assert len(output_rows(result)) == 3


def test_the_page_of_a_wide_model_shows_its_outputs(wide: VerifyResult, wrong: VerifyResult) -> None:
    for result in (wide, wrong):
        page = page_html(result)
        for title in ("output by output", "Output codes compared", "Each output, codes and floats together"):
            assert title in page
        assert "Output y" not in page, "there is no curve over x"
    assert 'class="diff"' in page_html(wrong)


def test_the_page_of_one_curve_has_no_table_of_outputs() -> None:
    page = page_html(cases.exhaustive())
    assert "Each output, codes" not in page and "Output y" in page


def test_a_comparison_of_other_shapes_is_refused() -> None:
    two, three = np.zeros((4, 2), np.int8), np.zeros((4, 3), np.int8)
    with pytest.raises(ValueError, match="one length and type"):
        CodeComparison(two, two, three)
    with pytest.raises(ValueError, match="one length and type"):
        CodeComparison(two[:3], three, three)
