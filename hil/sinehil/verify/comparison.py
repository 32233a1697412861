"""Check a board's identity, then compare its outputs with the interpreter's; a difference is a result."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from sinehil.board.device import Device
from sinehil.board.protocol import IdentifyReply
from sinehil.errors import IdentityError
from sinehil.model.arrays import Codes, Float32s
from sinehil.model.interpreters import Oracle
from sinehil.model.targets import Aim, Target
from sinehil.model.tflite import QuantizedModel
from sinehil.verify import Mode
from sinehil.verify.result import (
    CodeComparison,
    DeviceIdentity,
    Distance,
    FloatComparison,
    LinkStatistics,
    Proof,
    VerifyResult,
)

Value = TypeVar("Value", bound=np.generic)


def no_proof(_engine: str) -> Proof | None:
    """Return that nothing is known of a proof."""
    return None


@dataclass(frozen=True)
class Expected:
    """What the board must say of itself before anything is compared.

    ``checksum_of`` returns what the named engine's constants for this model and oracle come to, None if there is no
    such engine; ``proof_of`` what the generator proved of that kernel.
    """

    model: QuantizedModel
    oracle: str
    checksum_of: Callable[[str], int | None]
    proof_of: Callable[[str], Proof | None] = field(default=no_proof)


@dataclass(frozen=True)
class Inputs:
    """What is sent, and what a model's y there should be near.

    ``x`` float32 and ``codes`` int8 are [n] for a model with one input, else [n, inputs]. ``seed`` is what they were
    drawn from, None where nothing was.
    """

    mode: Mode
    x: Float32s
    aim: Aim
    codes: Codes | None = None
    seed: int | None = None

    @property
    def samples(self) -> int:
        """How many there are."""
        return len(self.x) + (0 if self.codes is None else len(self.codes))


@dataclass(frozen=True)
class Sample:
    """One float32 sample, streamed and answered on its own: ``x`` [inputs], both y [outputs]."""

    x: Float32s
    device_y: Float32s
    oracle_y: Float32s

    @property
    def equal(self) -> bool:
        """Whether all outputs have the same bits."""
        return self.device_y.tobytes() == self.oracle_y.tobytes()


def verify(
    device: Device,
    expected: Expected,
    oracle: Oracle,
    inputs: Inputs,
    on_sample: Callable[[Sample], None] | None = None,
    progress: Callable[[int], None] | None = None,
) -> VerifyResult:
    """Compare the connected-to-be board with ``oracle`` on all inputs.

    ``on_sample`` makes x go one at a time and is called with each; ``progress`` is called with how many samples more
    are done. Raises LinkError or IdentityError; wrong values are counted in the result.
    """
    started, mode, x = time.monotonic(), inputs.mode, inputs.x
    identity = check_identity(device.connect(), expected, device.port)
    codes = None if inputs.codes is None else _compare_codes(device, oracle, inputs.codes, progress)
    oracle_y = _like_the_devices(oracle.predict(x), device.outputs)
    device_y = (
        device.infer_floats(x, progress) if on_sample is None else _stream(device, x, oracle_y, on_sample)
    )
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
        distance=_distance(inputs.aim, x, device_y),
        link=LinkStatistics(device.counters.frames, device.counters.retries, device.crc_errors),
        elapsed_s=time.monotonic() - started,
        seed=inputs.seed,
        proof=expected.proof_of(identity.engine),
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
        ("another number of inputs", reply.inputs, model.inputs),
        ("another number of outputs", reply.outputs, model.outputs),
    ]
    for what, actual, wanted in checks:
        if actual != wanted:
            raise IdentityError(f"the board on {port} has {what}: {actual}, expected {wanted}", flash)
    checksum = expected.checksum_of(reply.engine)
    if checksum is None:
        raise IdentityError(
            f"the board on {port} has an engine that this version does not know: {reply.engine}", flash
        )
    if reply.weights_crc32 != checksum:
        raise IdentityError(
            f"the weights in the flash of the board on {port} are damaged: "
            f"checksum {reply.weights_crc32:08x}, expected {checksum:08x}",
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
        inputs=reply.inputs,
        outputs=reply.outputs,
    )


def _distance(aim: Aim, x: Float32s, y: Float32s) -> Distance | None:
    """Return the distance where there is one y over one x, and something that it should be."""
    return distance_from(aim.target, x, y) if aim.target is not None and x.ndim == y.ndim == 1 else None


def distance_from(target: Target, x: Float32s, y: Float32s) -> Distance | None:
    """Return how far ``y`` is from the target over the x in its range; None if there are none."""
    inside = target.covers(x)
    if not inside.any():
        return None
    error = np.abs(y[inside].astype(np.float64) - target.function(x[inside].astype(np.float64)))
    return Distance(float(error.max()), float(np.sqrt(np.mean(error**2))), float(error.mean()))


def _compare_codes(
    device: Device, oracle: Oracle, x_q: Codes, progress: Callable[[int], None] | None
) -> CodeComparison:
    oracle_y_q = _like_the_devices(oracle.predict_codes(x_q), device.outputs)
    return CodeComparison(x_q, device.infer_codes(x_q, progress), oracle_y_q)


def _like_the_devices(values: NDArray[Value], outputs: int) -> NDArray[Value]:
    """Return the interpreter's outputs as the device gives them: [n] where there is one, else [n, outputs]."""
    return values.reshape(-1) if outputs == 1 else values.reshape(-1, outputs)


def _stream(device: Device, x: Float32s, oracle_y: Float32s, on_sample: Callable[[Sample], None]) -> Float32s:
    device_y = np.empty_like(oracle_y)
    for index in range(len(x)):
        device_y[index] = device.infer_floats(x[index : index + 1])[0]
        on_sample(Sample(*(np.atleast_1d(column[index]) for column in (x, device_y, oracle_y))))
    return device_y
