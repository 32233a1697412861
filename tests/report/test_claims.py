"""What a report says is proven follows from the inputs that were really compared."""

from dataclasses import replace

import numpy as np
import pytest
import report_cases as cases

from sinehil.model.tflite import Quantization
from sinehil.report.claims import headline, not_proven, proven, scope
from sinehil.report.coverage import coverage_of
from sinehil.report.summary import summary_lines
from sinehil.verify.probes import exhaustive_floats
from sinehil.verify.result import CodeComparison, FloatComparison, VerifyResult


def without_float(result: VerifyResult, index: int) -> VerifyResult:
    old = result.floats
    columns = (np.delete(column, index) for column in (old.x, old.device_y, old.oracle_y))
    return replace(result, floats=FloatComparison(*columns))


def test_the_exhaustive_inputs_decide_everything() -> None:
    coverage = coverage_of(cases.exhaustive())
    assert (coverage.codes, coverage.steps, coverage.complete) == (256, 255, True)
    assert coverage.specials[0] == "zeros of both signs"
    assert len(coverage.specials) == 5


def test_one_missing_neighbour_of_a_step_is_noticed() -> None:
    for index in (0, 1, 255, 509):
        result = without_float(cases.exhaustive(), index)
        coverage = coverage_of(result)
        assert (coverage.steps, coverage.complete) == (254, False)
        assert "Not complete" in scope(result, coverage)
        assert not any("Every float32" in claim for claim in proven(result, coverage))
        assert "254 of 255" in not_proven(result, coverage)[0]


def test_a_missing_code_is_noticed() -> None:
    full = cases.exhaustive()
    x_q = cases.ALL_CODES[1:]
    result = replace(full, codes=CodeComparison(x_q, cases.net(x_q), cases.net(x_q)))
    assert coverage_of(result).codes == 255
    assert not coverage_of(result).complete


def test_samples_claim_only_themselves() -> None:
    result = cases.samples(12)
    coverage = coverage_of(result)
    assert not coverage.complete
    assert "A sample" in scope(result, coverage)
    assert "12 float32 inputs" in proven(result, coverage)[0]
    assert "not sent" in not_proven(result, coverage)[0]


@pytest.mark.parametrize("oracle", ["litert-ref", "tflm"])
def test_what_decides_every_x_depends_on_the_oracle(oracle: str) -> None:
    """The inputs for one leave steps of another unseen, and where its quantiser overflows."""
    full = replace(cases.exhaustive(), oracle=oracle)
    x = exhaustive_floats(Quantization(cases.IN_SCALE, cases.IN_ZERO), None, oracle)
    own = replace(full, floats=FloatComparison(x, np.zeros_like(x), np.zeros_like(x)))
    assert coverage_of(own).complete and coverage_of(own).steps == 255
    assert not coverage_of(full).complete
    far_out = np.abs(x.astype(np.float64) / cases.IN_SCALE) >= 2.0**31
    near = replace(own.floats, x=np.where(far_out & (np.abs(x) < 1e30), np.float32(0), x))
    assert not coverage_of(replace(own, floats=near)).complete


def test_a_fail_proves_no_equality() -> None:
    result = cases.exhaustive(cases.wrong_net)
    claims = proven(result, coverage_of(result))
    assert len(claims) == 1
    assert "are not those of" in claims[0]
    assert "equal" not in headline(result)


def test_a_table_is_said_to_be_one() -> None:
    result = cases.exhaustive()
    assert not any("table" in claim for claim in not_proven(result, coverage_of(result)))
    table = replace(result, identity=replace(result.identity, engine="table"))
    assert "no longer the model" in not_proven(table, coverage_of(table))[0]
    assert any("no longer the model" in line for line in summary_lines(table))
