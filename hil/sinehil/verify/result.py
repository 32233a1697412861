"""What a verification found, as plain data from which every report is made."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sinehil.model.arrays import Bools, Codes, Float32s
from sinehil.model.targets import Aim
from sinehil.verify import Mode, Verdict

MAX_CODE_DISTANCE = 255


@dataclass(frozen=True)
class DeviceIdentity:
    """What the board said of itself, already checked against the model."""

    protocol_version: int
    firmware: str
    board: str
    engine: str
    oracle: str
    model_sha256: str
    weights_crc32: int
    input_scale: float
    input_zero_point: int
    output_scale: float
    output_zero_point: int
    inputs: int = 1
    outputs: int = 1


@dataclass(frozen=True)
class FloatComparison:
    """Float inputs: ``x``, the board's and the interpreter's y, float32, compared as bits.

    Shapes are [n] where a sample has one value, else [n, inputs] and [n, outputs].
    """

    x: Float32s
    device_y: Float32s
    oracle_y: Float32s

    def __post_init__(self) -> None:
        _check_alike(np.float32, self.x, self.device_y, self.oracle_y)

    @property
    def equal(self) -> Bools:
        """Whether each pair has the same 32 bits."""
        return np.equal(self.device_y.view(np.uint32), self.oracle_y.view(np.uint32))


@dataclass(frozen=True)
class CodeComparison:
    """Int8 inputs: ``x_q``, the board's and the interpreter's output codes, shapes as for floats."""

    x_q: Codes
    device_y_q: Codes
    oracle_y_q: Codes

    def __post_init__(self) -> None:
        _check_alike(np.int8, self.x_q, self.device_y_q, self.oracle_y_q)

    @property
    def error_lsb(self) -> NDArray[np.int16]:
        """Device minus interpreter, in output codes."""
        return self.device_y_q.astype(np.int16) - self.oracle_y_q.astype(np.int16)


def _check_alike(dtype: type[np.generic], *columns: NDArray[Any]) -> None:
    """Raise ValueError unless lengths and types agree: NumPy would broadcast a short column and call it equal."""
    x, device, oracle = columns
    alike = (
        len(x) == len(device) and device.shape == oracle.shape and 1 <= x.ndim <= 2 and 1 <= device.ndim <= 2
    )
    if not alike or any(column.dtype != dtype for column in columns):
        raise ValueError("a comparison needs columns of one length and type")


@dataclass(frozen=True)
class Distance:
    """How far the board's y is from the target over the x of this run in its range: information, never the verdict."""

    max_abs_error: float
    rmse: float
    mae: float


@dataclass(frozen=True)
class LinkStatistics:
    """What the link cost, counted by the host."""

    frames: int
    retries: int
    crc_errors: int


@dataclass(frozen=True)
class BoardCounters:
    """What the board counted itself since its reset; 0 where it cannot tell. Those of the line stop at 255.

    ``least_free_ram_bytes`` is what the deepest stack left. ``ring_overruns`` are bytes that found the receive ring
    full, ``uart_overruns`` times that the UART itself lost bytes, ``framing_errors`` bytes without a stop bit.
    """

    least_free_ram_bytes: int
    ring_overruns: int
    uart_overruns: int
    framing_errors: int

    @property
    def overruns(self) -> int:
        """How often the board lost bytes for want of time or room."""
        return self.ring_overruns + self.uart_overruns


@dataclass(frozen=True)
class FirmwareSize:
    """What the compiler said of the image, where this machine compiled it."""

    flash_bytes: int
    flash_max_bytes: int
    ram_bytes: int
    ram_max_bytes: int


@dataclass(frozen=True)
class Cycles:
    """Cycles per inference as the board measured them, its own overhead taken off.

    Over all 256 codes of a model with one input, else over seeded ``samples``.
    """

    mean: float
    max: int
    clock_hz: int
    samples: int = 256


@dataclass(frozen=True)
class Proof:
    """What the generator proved of this kernel: each neuron's requantisation, for every accumulator that can occur.

    ``accumulators`` is how many those are, all ``neurons`` together.
    """

    neurons: int
    accumulators: int


@dataclass(frozen=True)
class VerifyResult:
    """One run of verify. ``codes`` is None in the modes that send only floats.

    ``distance`` is None where ``aim`` names no target, and where no x was in its range. ``seed`` is what inputs were
    drawn from, ``proof`` what is known of the kernel beforehand.
    """

    mode: Mode
    oracle: str
    oracle_version: str
    port: str
    identity: DeviceIdentity
    floats: FloatComparison
    codes: CodeComparison | None
    aim: Aim
    distance: Distance | None
    link: LinkStatistics
    elapsed_s: float
    firmware: FirmwareSize | None = None
    cycles: Cycles | None = None
    counters: BoardCounters | None = None
    seed: int | None = None
    proof: Proof | None = None

    @property
    def is_wide(self) -> bool:
        """Whether the model has several inputs, so that not every combination of codes can be compared."""
        return self.identity.inputs > 1

    @property
    def compared(self) -> int:
        """How many outputs were compared."""
        return self.floats.device_y.size + (0 if self.codes is None else self.codes.device_y_q.size)

    @property
    def mismatches(self) -> int:
        """How many of them differ."""
        wrong_codes = 0 if self.codes is None else int(np.count_nonzero(self.codes.error_lsb))
        return int(np.count_nonzero(~self.floats.equal)) + wrong_codes

    @property
    def max_error_lsb(self) -> int:
        """The largest difference in output codes; float outputs count in steps of the output scale."""
        codes = 0 if self.codes is None else int(np.abs(self.codes.error_lsb).max(initial=0))
        return max(codes, self._worst_float_lsb())

    def _worst_float_lsb(self) -> int:
        """Two int8 codes are at most 255 apart; so is what has no distance, such as a NaN from the board."""
        wrong = ~self.floats.equal
        device, oracle = (y[wrong].astype(np.float64) for y in (self.floats.device_y, self.floats.oracle_y))
        with np.errstate(all="ignore"):
            steps = np.abs(device - oracle) / self.identity.output_scale
        # Dequantised codes are whole steps apart but for float32 rounding, which must not count as a step more.
        whole = np.where(np.isfinite(steps), np.ceil(steps - 1e-3), MAX_CODE_DISTANCE)
        return int(min(whole.max(initial=0), MAX_CODE_DISTANCE))

    @property
    def verdict(self) -> Verdict:
        """PASS only if something was compared and nothing differs."""
        return Verdict.PASS if self.compared > 0 and self.mismatches == 0 else Verdict.FAIL
