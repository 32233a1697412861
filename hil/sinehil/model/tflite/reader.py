"""Load a quantized model from a file or its bytes."""

import hashlib
import struct
from pathlib import Path

from sinehil.base.files import bounded_bytes
from sinehil.errors import ArtefactError
from sinehil.model.tflite.chain import Chain
from sinehil.model.tflite.limits import MAX_FILE_BYTES, excess
from sinehil.model.tflite.quantized_model import QuantizedModel
from sinehil.model.tflite.tensors import HELP, Tensors, shortened

DAMAGED = (struct.error, IndexError, TypeError, ValueError, AttributeError, OverflowError, MemoryError)


def load_quantized_model(path: Path) -> QuantizedModel:
    """Read a .tflite file; ArtefactError if it is missing, damaged or not a supported model."""
    data = bounded_bytes(path, MAX_FILE_BYTES)
    if data is None:
        raise ArtefactError(
            f"{path} has more than {MAX_FILE_BYTES} bytes; models up to that are supported", HELP
        )
    return parse_quantized_model(data, str(path))


def parse_quantized_model(data: bytes, name: str) -> QuantizedModel:
    """Read the bytes of a .tflite; ``name`` is for messages. ArtefactError as load_quantized_model."""
    from ai_edge_litert import schema_py_generated as schema

    if data[4:8] != b"TFL3":
        raise ArtefactError(f"{name} is not a .tflite file", "give a model that the TFLite converter wrote")
    try:
        root = schema.Model.GetRootAs(data, 0)
        if (too_much := excess(root)) is not None:
            raise ArtefactError(f"{name}: {too_much}", HELP)
        tensors = Tensors(root, schema, name)
        chain = Chain(tensors)
        chain.walk()
        first, last = chain.ends()
        return QuantizedModel(
            hashlib.sha256(data).hexdigest(), data, tuple(chain.layers), first, last, name, chain.batchable
        )
    except ArtefactError:
        raise
    except DAMAGED as error:
        raise ArtefactError(
            f"{name} is damaged: {shortened(str(error))}", "make or download it again"
        ) from error
