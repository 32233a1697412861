"""The plan of a kernel: every constant of every layer, with its proof; and the C text made from it."""

import struct
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sinehil.arithmetic import accumulate, code_limits, multipliers, run_layer
from sinehil.errors import ArtefactError, UsageError
from sinehil.tflite_model import FullyConnected, QuantizedModel
from sinehil_pipeline.codegen.requantization import Line, Steps, find_line, find_steps

ENGINE = "generated"
INT16 = (-(2**15), 2**15 - 1)


@dataclass(frozen=True)
class LayerPlan:
    """One layer as the C code computes it, on codes shifted to uint8 (u = code + 128).

    ``bias`` has the zero points and, for lines, the base folded in. ``narrow`` says that 16 bits are proven to
    hold what is accumulated.
    """

    layer: FullyConnected
    lowest: int
    highest: int
    bias: NDArray[np.int32]
    forms: tuple[Line, ...] | tuple[Steps, ...]
    narrow: bool

    def constants(self) -> list[tuple[str, NDArray[np.generic]]]:
        """Return the tables that go into flash, in the order in which the checksum reads them."""
        tables: list[tuple[str, NDArray[np.generic]]] = [("weights", self.layer.weights), ("bias", self.bias)]
        lines = [form for form in self.forms if isinstance(form, Line)]
        steps = [form for form in self.forms if isinstance(form, Steps)]
        if lines:
            tables.append(("limit", np.array([line.limit for line in lines], np.int32)))
            tables.append(("multiplier", np.array([line.multiplier for line in lines], np.uint32)))
            tables.append(("offset", np.array([line.offset for line in lines], np.uint32)))
        if steps:
            first = np.cumsum([0] + [len(form.starts) for form in steps])
            tables.append(("first", first.astype(np.uint16)))
            tables.append(("start", np.array([at for form in steps for at in form.starts], np.int32)))
            tables.append(("code", np.array([code + 128 for form in steps for code in form.codes], np.uint8)))
        return tables


@dataclass(frozen=True)
class GeneratedKernel:
    """A kernel's C source, how many bytes its layers' tables take in flash, and the checksum over its constants."""

    source: str
    table_bytes: int
    weights_crc32: int
    oracle: str
    model_sha256: str


def generate_kernel(model: QuantizedModel, oracle: str = "litert") -> GeneratedKernel:
    """Return the kernel for a model with one input and one output, proven over all 256 input codes.

    The same model gives the same bytes. Raises UsageError for an unknown oracle, ArtefactError for other shapes.
    """
    from sinehil_pipeline.codegen.emit import emit_c

    if oracle != "litert":
        raise UsageError(f"there is no oracle {oracle!r}", "choose one of: litert")
    if (model.inputs, model.outputs) != (1, 1):
        raise ArtefactError(
            f"{model.name} has {model.inputs} inputs and {model.outputs} outputs",
            "this version generates kernels for models with one input and one output",
        )
    plans = plan_layers(model)
    floats = float_constants(model)
    identity = identity_bytes(model, oracle)
    tables = [table for plan in plans for _, table in plan.constants()]
    content = identity + b"".join(
        table.astype(table.dtype.newbyteorder("<")).tobytes() for table in [*tables, floats]
    )
    return GeneratedKernel(
        emit_c(model, oracle, plans, floats),
        sum(table.nbytes for table in tables),
        zlib.crc32(content),
        oracle,
        model.sha256,
    )


def plan_layers(model: QuantizedModel) -> list[LayerPlan]:
    """Return a proven plan for each layer, over the accumulators that the 256 input codes bring about."""
    codes = np.arange(-128, 128, dtype=np.int64).reshape(-1, 1)
    plans = []
    for layer in model.layers:
        outputs = run_layer(layer, codes)
        plans.append(_plan_layer(layer, accumulate(layer, codes), outputs))
        codes = outputs
    return plans


def float_constants(model: QuantizedModel) -> NDArray[np.uint32]:
    """Return the bits of the float32 constants: 1/input scale, its upper and lower clamp, the output scale."""
    zero_point = model.input.zero_point
    inverse = np.float32(1) / model.input.scale
    values = np.array([inverse, 127 - zero_point, -128 - zero_point, model.output.scale], np.float32)
    return values.view(np.uint32)


def identity_bytes(model: QuantizedModel, oracle: str) -> bytes:
    """Return ``struct sinehil_model_identity`` (arduino_sketch/engine.h) as it lies in memory."""
    source, result = model.input, model.output
    names = struct.pack("<12s12s32s", ENGINE.encode(), oracle.encode(), bytes.fromhex(model.sha256))
    scales = struct.pack("<ff", source.scale, result.scale)
    return (
        names
        + scales
        + struct.pack("<bbBB", source.zero_point, result.zero_point, model.inputs, model.outputs)
    )


def _plan_layer(
    layer: FullyConnected, accumulators: NDArray[np.int64], codes: NDArray[np.int64]
) -> LayerPlan:
    lowest, highest = code_limits(layer)
    pairs = list(zip(accumulators.T, codes.T, multipliers(layer).tolist(), strict=True))
    lines = [find_line(acc, code, slope, lowest, highest) for acc, code, slope in pairs]
    forms: tuple[Line, ...] | tuple[Steps, ...] = tuple(line for line in lines if line is not None)
    if len(forms) < len(lines):
        forms = tuple(find_steps(acc, code) for acc, code, _ in pairs)
    bases = np.array([form.base if isinstance(form, Line) else 0 for form in forms], np.int64)
    shift = (128 + layer.input.zero_point) * layer.weights.astype(np.int64).sum(axis=1)
    bias = layer.bias.astype(np.int64) - shift - bases
    sums = accumulators - bases
    if np.abs(bias).max() >= 2**31 or np.abs(sums).max() >= 2**31:
        raise ArtefactError(f"layer {layer.name} overflows 32 bits", "quantise the model again")
    narrow = bool(sums.min() >= INT16[0] and sums.max() <= INT16[1])
    return LayerPlan(layer, lowest, highest, bias.astype(np.int32), forms, narrow)
