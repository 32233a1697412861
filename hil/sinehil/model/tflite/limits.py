"""Limits on sizes and numbers of a .tflite, checked before anything is read.

Parts are counted before any is looked at: FlatBuffers let many entries point at one table, so a small file can have
billions of them, for the interpreters too. How long a name is need not be known: one part is unpacked at a time.
"""

from typing import Any

import numpy as np

from sinehil.model.tflite.quantized_model import FullyConnected

MAX_FILE_BYTES = 1 << 20
MAX_WIDTH, MAX_LAYERS, MAX_TABLES, MAX_RANK = 64, 8, 8, 6
# What keeps every float32 product normal and every 32-bit sum whole; the interpreter crashes, wraps or refuses beyond.
MIN_SCALE, MAX_SCALE = 1e-18, 1e18
MIN_FACTOR, MAX_FACTOR = 1e-18, 256
MAX_BIAS = 2**30
MAX_PRODUCT = (
    2**30
)  # of accumulator and factor, still before the clamp: int32 in TFLM, and doubled there on its way
MIN_TABLE_SCALE, MAX_TABLE_SCALE = 2.0**-20, 2.0**20  # of what goes into TANH and LOGISTIC
MAX_COUNTS = {
    "Subgraphs": 16,
    "OperatorCodes": 64,
    "Buffers": 512,
    "Metadata": 64,
    "MetadataBuffer": 64,
    "SignatureDefs": 4,
    "ExternalBufferGroups": 64,
    "ExternalBuffers": 64,
}
MAX_SIGNATURE_COUNTS = {"Inputs": 64, "Outputs": 64}
MAX_NAME_BYTES = 60  # in a message
# With these TFLM takes where tensors lie in memory, or what weights mean, from the file.
FOREIGN_METADATA = (b"OfflineMemoryAllocation", b"COMPRESSION_METADATA")
MAX_GRAPH_COUNTS = {"Tensors": 256, "Operators": 64, "Inputs": 64, "Outputs": 64}


def excess(root: Any) -> str | None:
    """Return what a ``schema.Model`` has too much of, or must not have, or None; flatbuffers' errors pass through."""
    found = _excess_of(root, MAX_COUNTS)
    if found is not None:
        return found
    for name in (root.Metadata(index).Name() for index in range(root.MetadataLength())):
        if name in FOREIGN_METADATA:
            return f"its metadata say {name.decode()}"
    for signature in (root.SignatureDefs(index) for index in range(root.SignatureDefsLength())):
        found = _excess_of(signature, MAX_SIGNATURE_COUNTS)
        if found is not None:
            return f"in a signature {found}"
    for graph in (root.Subgraphs(index) for index in range(root.SubgraphsLength())):
        found = _excess_of(graph, MAX_GRAPH_COUNTS)
        if found is not None:
            return found
        for tensor in (graph.Tensors(index) for index in range(graph.TensorsLength())):
            if tensor.VariantTensorsLength() or tensor.Sparsity() is not None:
                name = (tensor.Name() or b"")[:MAX_NAME_BYTES].decode(errors="replace")
                return f"tensor {name} is sparse or a variant"
    return None


def number_problem(layer: FullyConnected) -> str | None:
    """Return which numbers of a layer are beyond what is computed alike everywhere, or None."""
    factors = layer.weight_scales.astype(np.float64) * float(layer.input.scale) / float(layer.output.scale)
    if factors.min() < MIN_FACTOR or factors.max() >= MAX_FACTOR:
        return "scales"
    biases = np.abs(layer.bias.astype(np.int64))
    if biases.max() > MAX_BIAS:
        return "biases"
    reach = biases + 255 * np.abs(layer.weights.astype(np.int64)).sum(axis=1)
    return "sums" if (reach * factors).max() >= MAX_PRODUCT else None


def _excess_of(table: Any, limits: dict[str, int]) -> str | None:
    for part, limit in limits.items():
        count = getattr(table, f"{part}Length")()
        if count > limit:
            return f"it has {count} {part.lower()}, more than {limit}"
    return None
