"""Check and read tensors as codes, weights, biases or scales; each error names the tensor."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sinehil.errors import ArtefactError
from sinehil.model.arrays import Float32s
from sinehil.model.tflite.limits import MAX_RANK, MAX_SCALE, MAX_WIDTH, MIN_SCALE
from sinehil.model.tflite.quantized_model import Quantization

MAX_REASON = 300
HELP = "see `sinehil compile --help` for what is supported"


@dataclass(frozen=True)
class Tensors:
    """The tensors of a file's one subgraph. ``place`` names file and operator for messages.

    Each is unpacked when it is asked for and then let go: many may share one name as long as the file.
    """

    root: Any  # a schema.Model, not unpacked
    schema: Any
    place: str

    def at(self, operator: str) -> "Tensors":
        """Return the same tensors, for an operator with this name."""
        return replace(self, place=f"{self.place}: {operator}")

    def refuse(self, reason: str) -> ArtefactError:
        """Return the error to raise; a shape in ``reason`` may have as many numbers as the file has room for."""
        return ArtefactError(f"{self.place}: {shortened(reason)}", HELP)

    def get(self, index: int) -> Any:
        """Return a tensor, or None for one that is left out (a negative index)."""
        if index < 0:
            return None
        return self.schema.TensorT.InitFromObj(entry(self.root.Subgraphs(0), "Tensors", index))

    def name(self, index: int) -> str:
        """Return a tensor's name for messages."""
        return text(getattr(self.get(index), "name", None))

    def width(self, tensor: Any) -> int:
        """Return how many numbers one sample has in this tensor; refuse what is no sample of fixed size."""
        shape = [int(size) for size in ([] if tensor.shape is None else tensor.shape)]
        signature = shape if tensor.shapeSignature is None else [int(size) for size in tensor.shapeSignature]
        as_batch = [1, *signature[1:]] if len(shape) > 1 and signature[:1] == [-1] else signature
        ranked = 1 <= len(shape) <= MAX_RANK  # first: the product of a file full of sizes takes a minute
        width = math.prod(shape) if ranked else 0
        usable = ranked and all(size >= 1 for size in shape) and as_batch == shape
        if not usable or width > MAX_WIDTH:
            raise self.refuse(
                f"tensor {text(tensor.name)} has shape {signature}, expected one sample of 1 to {MAX_WIDTH} numbers"
            )
        return width

    def check_computed(self, tensor: Any) -> None:
        """Refuse a tensor that holds numbers already, so that no operator may write it."""
        if tensor.isVariable or self._bytes(tensor):
            raise self.refuse(
                f"tensor {text(tensor.name)} is a constant or a variable, expected one to compute"
            )

    def constant(self, tensor: Any, kind: str, what: str) -> NDArray[Any]:
        """Return the numbers of a constant tensor of type INT8 or INT32, flat."""
        name = text(getattr(tensor, "name", None))
        if tensor is None or tensor.type != getattr(self.schema.TensorType, kind):
            raise self.refuse(f"{what} {name} are not {kind.lower()}")
        raw = self._bytes(tensor)
        if not raw:
            raise self.refuse(f"{what} {name} are not constant")
        dtype = np.dtype(kind.lower())
        return np.frombuffer(raw, dtype=dtype.newbyteorder("<")).astype(dtype)

    def scales(self, tensor: Any, outputs: int, lowest: float) -> Float32s:
        """Return a constant's scales, one or one per output; its zero points must be 0."""
        name, entry = text(tensor.name), tensor.quantization
        if entry is None or entry.scale is None:
            raise self.refuse(f"tensor {name} has no scales")
        scales = np.atleast_1d(np.array(entry.scale, dtype=np.float32))
        zeros = np.atleast_1d(np.array(entry.zeroPoint, dtype=np.int64))
        usable = np.all((scales >= lowest) & (scales <= 1 / lowest)) and not zeros.any()
        usable = usable and zeros.size == scales.size and entry.detailsType == 0
        if scales.size not in (1, outputs) or not usable or entry.quantizedDimension != 0:
            raise self.refuse(f"tensor {name} has unusable scales")
        return scales

    def quantization(self, tensor: Any) -> Quantization:
        """Return scale and zero point of an int8 tensor."""
        name, entry = text(tensor.name), tensor.quantization
        if tensor.type != self.schema.TensorType.INT8:
            raise self.refuse(f"tensor {name} is not int8; quantise the model fully")
        if entry is None or entry.scale is None or len(entry.scale) != 1 or len(entry.zeroPoint) != 1:
            raise self.refuse(f"tensor {name} is not quantised per tensor")
        scale, zero_point = np.float32(entry.scale[0]), int(entry.zeroPoint[0])
        if entry.detailsType != 0:
            raise self.refuse(f"tensor {name} has a quantisation of another kind")
        if not (MIN_SCALE <= scale <= MAX_SCALE and -128 <= zero_point <= 127):
            raise self.refuse(f"tensor {name} has scale {scale} and zero point {zero_point}")
        return Quantization(scale, zero_point)

    def _bytes(self, tensor: Any) -> bytes:
        buffer = self.schema.BufferT.InitFromObj(entry(self.root, "Buffers", tensor.buffer))
        if buffer.offset or buffer.size or tensor.externalBuffer:
            raise self.refuse(f"tensor {text(tensor.name)} has its numbers outside the FlatBuffer")
        return b"" if buffer.data is None else bytes(bytearray(buffer.data))


def entry(table: Any, part: str, index: int) -> Any:
    """Return one of a table's parts; flatbuffers itself reads on behind the last."""
    if not 0 <= index < getattr(table, f"{part}Length")():
        raise IndexError(f"its {part.lower()} have no number {index}")
    return getattr(table, part)(index)


def shortened(reason: str) -> str:
    """Return a reason that fits a few lines."""
    return (
        reason
        if len(reason) <= MAX_REASON
        else f"{reason[: MAX_REASON // 2]} ... {reason[-MAX_REASON // 2 :]}"
    )


def text(name: bytes | None) -> str:
    """Return a name for messages, whatever its bytes are."""
    return (name or b"?").decode("utf-8", "replace")[:80]
