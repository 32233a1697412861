"""Results of runs on a quantised sine made with NumPy, whose quantiser steps are found by search."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from sinehil.targets import FROM_A_FILE, TARGETS, Aim
from sinehil.verify.mode import Mode
from sinehil.verify.result import (
    CodeComparison,
    Cycles,
    DeviceIdentity,
    Distance,
    FirmwareSize,
    FloatComparison,
    LinkStatistics,
    VerifyResult,
)

IN_SCALE, IN_ZERO = np.float32(2 * np.pi / 255), -128
OUT_SCALE, OUT_ZERO = np.float32(2.2 / 255), 3
SHA = "5f1c" * 16
Floats = NDArray[np.float32]
Codes = NDArray[np.int8]
ALL_CODES: Codes = np.arange(-128, 128).astype(np.int8)


def quantize(x: Floats) -> Codes:
    """LiteRT's rule, written here a second time so that the report is not held against itself."""
    with np.errstate(all="ignore"):
        steps = np.rint(x * (np.float32(1) / IN_SCALE)).astype(np.float64) + IN_ZERO
    return np.where(np.isnan(steps), 127, np.clip(steps, -128, 127)).astype(np.int8)


def net(codes: Codes) -> Codes:
    """A sine with a smooth error of its own, as a trained net has."""
    x = (codes.astype(np.float64) - IN_ZERO) * IN_SCALE
    y = np.sin(x) + 0.03 * np.sin(3.1 * x + 0.4)
    return np.clip(np.rint(y / OUT_SCALE) + OUT_ZERO, -128, 127).astype(np.int8)


def wrong_net(codes: Codes) -> Codes:
    """The same with one hidden unit gone astray: a part of the range is off by up to a few LSB."""
    bump = np.rint(6 * np.maximum(0, 1 - np.abs(codes.astype(np.float64) - 40) / 45)).astype(np.int16)
    return np.clip(net(codes).astype(np.int16) - bump, -128, 127).astype(np.int8)


def dequantize(codes: Codes) -> Floats:
    return ((codes.astype(np.int32) - OUT_ZERO).astype(np.float32) * OUT_SCALE).astype(np.float32)


def neighbours_of_steps() -> Floats:
    found: list[np.float32] = []
    for code in range(-128, 127):
        x = np.float32((code - IN_ZERO + 0.5) * IN_SCALE)
        while quantize(np.array([x]))[0] > code:
            x = np.nextafter(x, np.float32(-np.inf))
        while quantize(np.array([np.nextafter(x, np.float32(np.inf))]))[0] <= code:
            x = np.nextafter(x, np.float32(np.inf))
        found += [x, np.nextafter(x, np.float32(np.inf))]
    return np.array(found, dtype=np.float32)


def special_values() -> Floats:
    info = np.finfo(np.float32)
    positive = np.array([0, info.smallest_subnormal, info.tiny, info.max, np.inf, np.nan], dtype=np.float32)
    return np.concatenate([positive, -positive])


def exhaustive(device=net) -> VerifyResult:  # type: ignore[no-untyped-def]
    ends = np.array([0, 2 * np.pi, -1, 7.5, -1000, 1000], dtype=np.float32)
    x = np.concatenate([neighbours_of_steps(), ends, special_values()])
    codes = CodeComparison(ALL_CODES, device(ALL_CODES), net(ALL_CODES))
    return _result(Mode.EXHAUSTIVE, x, device, codes)


def samples(count: int = 12, device=net) -> VerifyResult:  # type: ignore[no-untyped-def]
    x = np.linspace(0, 2 * np.pi, count, dtype=np.float32)
    return replace(_result(Mode.SAMPLES, x, device, None), cycles=None, firmware=None)


def for_cos(result: VerifyResult) -> VerifyResult:
    """The same run of a model that was to be cos x."""
    return replace(result, aim=Aim(TARGETS["cos"]))


def from_a_file(result: VerifyResult) -> VerifyResult:
    """The same run of a model whose samples came from a file."""
    return replace(result, aim=FROM_A_FILE, distance=None)


def hostile(result: VerifyResult, text: str) -> VerifyResult:
    """The same run on a board and port whose every string is ``text``."""
    identity = replace(
        result.identity, firmware=text, board=text, engine=text, oracle=text, model_sha256=text
    )
    return replace(result, identity=identity, port=text, oracle_version=text)


def with_device_y(result: VerifyResult, changes: dict[int, float]) -> VerifyResult:
    """The same run with some of the board's float outputs replaced, by index."""
    device_y = result.floats.device_y.copy()
    for index, value in changes.items():
        device_y[index] = value
    return replace(result, floats=replace(result.floats, device_y=device_y))


def _result(mode: Mode, x: Floats, device, codes: CodeComparison | None) -> VerifyResult:  # type: ignore[no-untyped-def]
    x_q = quantize(x)
    floats = FloatComparison(x, dequantize(device(x_q)), dequantize(net(x_q)))
    inside = (x >= 0) & (x <= np.float32(2 * np.pi))
    error = np.abs(floats.device_y[inside].astype(np.float64) - np.sin(x[inside].astype(np.float64)))
    error = error if len(error) else np.zeros(1)
    return VerifyResult(
        mode=mode,
        oracle="litert",
        oracle_version="2.3.0",
        port="/dev/ttyACM0",
        identity=DeviceIdentity(
            1,
            "0.1.0",
            "uno",
            "generated",
            "litert",
            SHA,
            0x1234ABCD,
            float(IN_SCALE),
            IN_ZERO,
            float(OUT_SCALE),
            OUT_ZERO,
        ),
        floats=floats,
        codes=codes,
        aim=Aim(TARGETS["sin"]),
        distance=Distance(float(error.max()), float(np.sqrt(np.mean(error**2))), float(error.mean())),
        link=LinkStatistics(frames=61, retries=0, crc_errors=0),
        elapsed_s=0.871,
        firmware=FirmwareSize(7412, 32256, 412, 2048),
        cycles=Cycles(mean=45857.3, max=47210, clock_hz=16_000_000),
    )
