"""The outputs that differ, as rows that every kind of report shows."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sinehil.model.arrays import Float32s, Float64s, Indices
from sinehil.report.number_text import bits_text, float32_text
from sinehil.verify.result import CodeComparison, FloatComparison, VerifyResult

SHOWN_VALUES = 4


@dataclass(frozen=True)
class MismatchRow:
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


def first_mismatches(result: VerifyResult, limit: int) -> list[MismatchRow]:
    """Return at most ``limit`` differing outputs: codes first, then floats by ascending x."""
    return list(islice(all_mismatches(result), limit))


def all_mismatches(result: VerifyResult) -> Iterator[MismatchRow]:
    """Yield every differing output: codes first (they say where the kernel is wrong), then floats."""
    if result.codes is not None:
        yield from code_rows(result.codes, np.flatnonzero(result.codes.error_lsb))
    x, outputs = result.floats.x, result.floats.device_y[0].size if result.floats.device_y.size else 1
    wrong = np.flatnonzero(~result.floats.equal)
    if x.ndim == 1:
        wrong = wrong[np.argsort(x[wrong // outputs], kind="stable")]
    yield from float_rows(result.floats, wrong, result.identity.output_scale)


def code_rows(codes: CodeComparison, indices: Indices) -> Iterator[MismatchRow]:
    """Yield the rows at ``indices`` of a comparison of codes, counted through all outputs of all samples."""
    error, device_y_q, oracle_y_q = (
        codes.error_lsb.ravel(),
        codes.device_y_q.ravel(),
        codes.oracle_y_q.ravel(),
    )
    for i in indices:
        sample, output = _place(i, codes.device_y_q)
        text = str(codes.x_q[sample]) if codes.x_q.ndim == 1 else _sample_text(sample, codes.x_q[sample])
        device, oracle = str(device_y_q[i]), str(oracle_y_q[i])
        yield MismatchRow("code", text + output, "", device, "", oracle, "", f"{error[i]:+d}")


def float_rows(floats: FloatComparison, indices: Indices, output_scale: float) -> Iterator[MismatchRow]:
    """Yield the rows at ``indices`` of a comparison of floats, counted through all outputs of all samples."""
    error = float_error_lsb(floats, output_scale).ravel()
    device_y, oracle_y = floats.device_y.ravel(), floats.oracle_y.ravel()
    for i in indices:
        sample, output = _place(i, floats.device_y)
        x, device, oracle = floats.x[sample], device_y[i], oracle_y[i]
        text, bits = (float32_text(x), bits_text(x)) if floats.x.ndim == 1 else (_sample_text(sample, x), "")
        yield MismatchRow(
            "x",
            text + output,
            bits,
            float32_text(device),
            bits_text(device),
            float32_text(oracle),
            bits_text(oracle),
            lsb_text(float(error[i])),
        )


def _place(index: np.intp, outputs: NDArray[Any]) -> tuple[int, str]:
    """Return the sample of a value, and which output it is in words where there are several."""
    if outputs.ndim == 1:
        return int(index), ""
    sample, output = divmod(int(index), outputs.shape[1])
    return sample, f", output {output}"


def _sample_text(sample: int, values: NDArray[Any]) -> str:
    """Return the first values of a sample, and its number, by which report.json has the others."""
    shown = ", ".join(float32_text(v) if isinstance(v, np.float32) else str(v) for v in values[:SHOWN_VALUES])
    return f"sample {sample} ({shown}{', ...' if len(values) > SHOWN_VALUES else ''})"


def float_error_lsb(floats: FloatComparison, output_scale: float) -> Float64s:
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


def _float64(values: Float32s) -> Float64s:
    return values.astype(np.float64)


def _with_bits(value: str, bits: str) -> str:
    return f"{value} ({bits})" if bits else value
