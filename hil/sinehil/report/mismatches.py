"""The outputs that differ, as rows that every kind of report shows."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from sinehil.report.text import bits_text, float32_text
from sinehil.verify.result import CodeComparison, Float32s, FloatComparison, VerifyResult

Indices = NDArray[np.intp]


@dataclass(frozen=True)
class Row:
    """One differing output as text. Bits are empty for codes, which are their own bits."""

    kind: str
    input: str
    input_bits: str
    device: str
    device_bits: str
    oracle: str
    oracle_bits: str
    error_lsb: str

    @property
    def sentence(self) -> str:
        """Return the row as one line of plain text."""
        return (
            f"{self.kind} {_with_bits(self.input, self.input_bits)}: "
            f"device {_with_bits(self.device, self.device_bits)}, "
            f"interpreter {_with_bits(self.oracle, self.oracle_bits)}, {self.error_lsb} LSB"
        )


def first_mismatches(result: VerifyResult, limit: int) -> list[Row]:
    """Return at most ``limit`` differing outputs: codes first, then floats by ascending x."""
    return list(islice(all_mismatches(result), limit))


def all_mismatches(result: VerifyResult) -> Iterator[Row]:
    """Yield every differing output: codes first (they say where the kernel is wrong), then floats."""
    if result.codes is not None:
        yield from code_rows(result.codes, np.flatnonzero(result.codes.error_lsb))
    wrong = np.flatnonzero(~result.floats.equal)
    order = np.argsort(result.floats.x[wrong], kind="stable")
    yield from float_rows(result.floats, wrong[order], result.identity.output_scale)


def code_rows(codes: CodeComparison, indices: Indices) -> Iterator[Row]:
    """Yield the rows at ``indices`` of a comparison of codes."""
    error = codes.error_lsb
    for i in indices:
        device, oracle = str(codes.device_y_q[i]), str(codes.oracle_y_q[i])
        yield Row("code", str(codes.x_q[i]), "", device, "", oracle, "", f"{error[i]:+d}")


def float_rows(floats: FloatComparison, indices: Indices, output_scale: float) -> Iterator[Row]:
    """Yield the rows at ``indices`` of a comparison of floats."""
    error = float_error_lsb(floats, output_scale)
    for i in indices:
        x, device, oracle = floats.x[i], floats.device_y[i], floats.oracle_y[i]
        yield Row(
            "x",
            float32_text(x),
            bits_text(x),
            float32_text(device),
            bits_text(device),
            float32_text(oracle),
            bits_text(oracle),
            lsb_text(float(error[i])),
        )


def float_error_lsb(floats: FloatComparison, output_scale: float) -> NDArray[np.float64]:
    """Return device minus interpreter in steps of the output scale, float64; NaN where it has no value.

    Two dequantised codes differ by whole steps up to float32 rounding, so what is close to whole is whole.
    """
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        steps = (_float64(floats.device_y) - _float64(floats.oracle_y)) / output_scale
    whole = np.rint(steps)
    return np.where(np.isclose(steps, whole, rtol=0, atol=1e-3), whole, steps)


def lsb_text(error: float) -> str:
    """Return a signed difference in LSB; ``?`` where a NaN or an infinity makes it meaningless."""
    if not np.isfinite(error):
        return "?"
    if abs(error) >= 1e6:
        return f"{error:+.3g}"
    return f"{error:+.0f}" if error == round(error) else f"{error:+.3f}"


def _float64(values: Float32s) -> NDArray[np.float64]:
    return values.astype(np.float64)


def _with_bits(value: str, bits: str) -> str:
    return f"{value} ({bits})" if bits else value
