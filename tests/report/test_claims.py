"""What a report says is proven follows from the inputs that were really compared."""

from dataclasses import replace

import numpy as np
import report_cases as cases

from sinehil.report.claims import headline, not_proven, proven, scope
from sinehil.report.coverage import coverage_of
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


def test_an_oracle_whose_steps_are_not_counted_is_never_complete() -> None:
    assert not coverage_of(replace(cases.exhaustive(), oracle="tflm")).complete


def test_a_fail_proves_no_equality() -> None:
    result = cases.exhaustive(cases.wrong_net)
    claims = proven(result, coverage_of(result))
    assert len(claims) == 1
    assert "are not those of" in claims[0]
    assert "equal" not in headline(result)
