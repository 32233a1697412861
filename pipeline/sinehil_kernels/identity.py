"""The identity bytes and float constants that every kernel has, whatever computes its layers."""

import struct

import numpy as np
from numpy.typing import NDArray

from sinehil.model.arithmetic import LITERT
from sinehil.model.tflite import QuantizedModel


def float_constants(model: QuantizedModel, oracle: str) -> NDArray[np.uint32]:
    """Return the bits of two float32 constants: what ``oracle`` scales x by, and the output scale.

    litert multiplies by 1/scale, the others divide by the scale.
    """
    scale = model.input.scale
    by = np.float32(1) / scale if oracle == LITERT.name else scale
    return np.array([by, model.output.scale], np.float32).view(np.uint32)


def identity_bytes(model: QuantizedModel, oracle: str, engine: str) -> bytes:
    """Return ``struct sinehil_model_identity`` (arduino_sketch/sinehil_engine.h) as it lies in memory."""
    source, result = model.input, model.output
    names = struct.pack("<12s12s32s", engine.encode(), oracle.encode(), bytes.fromhex(model.sha256))
    scales = struct.pack("<ff", source.scale, result.scale)
    return (
        names
        + scales
        + struct.pack("<bbBB", source.zero_point, result.zero_point, model.inputs, model.outputs)
    )
