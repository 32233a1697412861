"""Results of runs on a quantised sine made with NumPy, whose quantiser steps are found by search."""

from dataclasses import replace

import numpy as np

from sinehil.model.arrays import Codes, Float32s
from sinehil.model.targets import FROM_A_FILE, NO_MANIFEST, TARGETS, Aim
from sinehil.verify import Mode
from sinehil.verify.result import (
    BoardCounters,
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
ALL_CODES: Codes = np.arange(-128, 128).astype(np.int8)


def quantize(x: Float32s) -> Codes:
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


def dequantize(codes: Codes) -> Float32s:
    return ((codes.astype(np.int32) - OUT_ZERO).astype(np.float32) * OUT_SCALE).astype(np.float32)


def neighbours_of_steps() -> Float32s:
    found: list[np.float32] = []
    for code in range(-128, 127):
        x = np.float32((code - IN_ZERO + 0.5) * IN_SCALE)
        while quantize(np.array([x]))[0] > code:
            x = np.nextafter(x, np.float32(-np.inf))
        while quantize(np.array([np.nextafter(x, np.float32(np.inf))]))[0] <= code:
            x = np.nextafter(x, np.float32(np.inf))
        found += [x, np.nextafter(x, np.float32(np.inf))]
    return np.array(found, dtype=np.float32)


def special_values() -> Float32s:
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
    return replace(_result(Mode.SAMPLES, x, device, None), cycles=None, counters=None, firmware=None)


def mixed(codes: Codes, outputs: int = 3) -> Codes:
    """A net of several inputs and outputs in which each step of each input changes every output."""
    weights = 2 * np.arange(codes.shape[1]) + 1
    sums = codes.astype(np.int64) @ weights
    return (sums[:, None] + 40 * np.arange(outputs)).astype(np.uint8).view(np.int8)


def wrong_mixed(codes: Codes, outputs: int = 3) -> Codes:
    """The same with one output that is one too high for one code in sixteen."""
    y_q = mixed(codes, outputs).copy()
    y_q[codes[:, 0] % 16 == 3, outputs - 1] += 1
    return y_q


def wide(device=mixed, inputs: int = 5, samples: int = 10_000) -> VerifyResult:  # type: ignore[no-untyped-def]
    """A run on a model with several inputs: seeded codes, and a pair of floats for each step of the quantiser."""
    dice = np.random.default_rng(1)
    x_q = dice.integers(-128, 128, (samples, inputs)).astype(np.int8)
    steps = neighbours_of_steps().reshape(-1, 2)
    x = np.repeat(real(dice.integers(-128, 128, (len(steps), inputs)).astype(np.int8)), 2, axis=0)
    x[np.arange(len(x)), np.repeat(np.arange(len(steps)) % inputs, 2)] = steps.ravel()
    x = np.concatenate([x, np.repeat(special_values()[:, None], inputs, axis=1)])
    codes = CodeComparison(x_q, device(x_q), mixed(x_q))
    floats = FloatComparison(x, dequantize(device(quantize(x))), dequantize(mixed(quantize(x))))
    return _of_shape(samples_of(floats, codes), inputs, 3, seed=137)


def several_outputs(device=mixed) -> VerifyResult:  # type: ignore[no-untyped-def]
    """An exhaustive run on a model with one input and three outputs."""
    x = np.concatenate([neighbours_of_steps(), special_values()])
    of_one = [device(quantize(x)[:, None]), mixed(quantize(x)[:, None])]
    codes = CodeComparison(ALL_CODES, device(ALL_CODES[:, None]), mixed(ALL_CODES[:, None]))
    return _of_shape(samples_of(FloatComparison(x, *map(dequantize, of_one)), codes), 1, 3, seed=None)


def real(codes: Codes) -> Float32s:
    return ((codes.astype(np.int32) - IN_ZERO).astype(np.float32) * IN_SCALE).astype(np.float32)


def samples_of(floats: FloatComparison, codes: CodeComparison) -> VerifyResult:
    return replace(exhaustive(), floats=floats, codes=codes, aim=NO_MANIFEST, distance=None)


def _of_shape(result: VerifyResult, inputs: int, outputs: int, seed: int | None) -> VerifyResult:
    return replace(result, identity=replace(result.identity, inputs=inputs, outputs=outputs), seed=seed)


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


def _result(mode: Mode, x: Float32s, device, codes: CodeComparison | None) -> VerifyResult:  # type: ignore[no-untyped-def]
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
        counters=BoardCounters(least_free_ram_bytes=1013, ring_overruns=2, uart_overruns=3, framing_errors=1),
        cycles=Cycles(mean=45857.3, max=47210, clock_hz=16_000_000),
    )
