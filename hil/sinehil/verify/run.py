"""One verification: identity first, then every comparison; a difference is a result, not an exception."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sinehil.device import Device
from sinehil.errors import IdentityError
from sinehil.oracle import LitertOracle
from sinehil.protocol import IdentifyReply
from sinehil.targets import Aim, Target
from sinehil.tflite_model import QuantizedModel
from sinehil.verify.mode import Mode
from sinehil.verify.probes import all_codes
from sinehil.verify.result import (
    CodeComparison,
    DeviceIdentity,
    Distance,
    FloatComparison,
    LinkStatistics,
    VerifyResult,
)

Float32s = NDArray[np.float32]


@dataclass(frozen=True)
class Expected:
    """What the board must say of itself before anything is compared."""

    model: QuantizedModel
    oracle: str
    weights_crc32: int


@dataclass(frozen=True)
class Inputs:
    """What is sent, ``x`` of shape [n] float32, and what a model's y there should be near."""

    mode: Mode
    x: Float32s
    aim: Aim


@dataclass(frozen=True)
class Sample:
    """One float input, streamed and answered on its own."""

    x: float
    device_y: float
    oracle_y: float
    equal: bool


def verify(
    device: Device,
    expected: Expected,
    oracle: LitertOracle,
    inputs: Inputs,
    on_sample: Callable[[Sample], None] | None = None,
) -> VerifyResult:
    """Compare the connected-to-be board with ``oracle`` on the inputs, and in exhaustive mode on all codes too.

    ``on_sample`` makes x go one at a time and is called with each. Raises LinkError or IdentityError; wrong
    values are counted in the result.
    """
    started, mode, x = time.monotonic(), inputs.mode, inputs.x
    identity = check_identity(device.connect(), expected, device.port)
    codes = _compare_codes(device, oracle) if mode is Mode.EXHAUSTIVE else None
    oracle_y = oracle.predict(x)
    device_y = device.infer_floats(x) if on_sample is None else _stream(device, x, oracle_y, on_sample)
    check_identity(device.identify(), expected, device.port)
    return VerifyResult(
        mode=mode,
        oracle=oracle.name,
        oracle_version=oracle.version,
        port=device.port,
        identity=identity,
        floats=FloatComparison(x, device_y, oracle_y),
        codes=codes,
        aim=inputs.aim,
        distance=None if inputs.aim.target is None else distance_from(inputs.aim.target, x, device_y),
        link=LinkStatistics(device.counters.frames, device.counters.retries, device.crc_errors),
        elapsed_s=time.monotonic() - started,
    )


def check_identity(reply: IdentifyReply, expected: Expected, port: str) -> DeviceIdentity:
    """Return the board's identity; raise IdentityError naming the first thing that is not as expected."""
    model = expected.model
    flash = f"run `sinehil flash --port {port}` to put this model's firmware on it"
    checks = [
        ("another model", reply.model_sha256, model.sha256),
        ("a kernel made for another oracle", reply.oracle, expected.oracle),
        ("another input scale", np.float32(reply.input_scale), model.input.scale),
        ("another input zero point", reply.input_zero_point, model.input.zero_point),
        ("another output scale", np.float32(reply.output_scale), model.output.scale),
        ("another output zero point", reply.output_zero_point, model.output.zero_point),
    ]
    for what, actual, wanted in checks:
        if actual != wanted:
            raise IdentityError(f"the board on {port} has {what}: {actual}, expected {wanted}", flash)
    if reply.weights_crc32 != expected.weights_crc32:
        raise IdentityError(
            f"the weights in the flash of the board on {port} are damaged: "
            f"checksum {reply.weights_crc32:08x}, expected {expected.weights_crc32:08x}",
            f"{flash}; if it happens again, the flash is worn out",
        )
    return DeviceIdentity(
        protocol_version=reply.protocol_version,
        firmware=reply.firmware,
        board=reply.board,
        engine=reply.engine,
        oracle=reply.oracle,
        model_sha256=reply.model_sha256,
        weights_crc32=reply.weights_crc32,
        input_scale=reply.input_scale,
        input_zero_point=reply.input_zero_point,
        output_scale=reply.output_scale,
        output_zero_point=reply.output_zero_point,
    )


def distance_from(target: Target, x: Float32s, y: Float32s) -> Distance | None:
    """Return how far ``y`` is from the target over the x in its range; None if there are none."""
    inside = target.covers(x)
    if not inside.any():
        return None
    error = np.abs(y[inside].astype(np.float64) - target.function(x[inside].astype(np.float64)))
    return Distance(float(error.max()), float(np.sqrt(np.mean(error**2))), float(error.mean()))


def _compare_codes(device: Device, oracle: LitertOracle) -> CodeComparison:
    x_q = all_codes()
    return CodeComparison(x_q, device.infer_codes(x_q), oracle.predict_codes(x_q))


def _stream(device: Device, x: Float32s, oracle_y: Float32s, on_sample: Callable[[Sample], None]) -> Float32s:
    device_y = np.empty_like(x)
    for index in range(len(x)):
        device_y[index] = device.infer_floats(x[index : index + 1])[0]
        equal = device_y[index].tobytes() == oracle_y[index].tobytes()
        on_sample(Sample(float(x[index]), float(device_y[index]), float(oracle_y[index]), equal))
    return device_y
