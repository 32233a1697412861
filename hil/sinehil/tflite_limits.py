"""How much a .tflite may hold, and how large its numbers may be.

Parts are counted before they are unpacked: FlatBuffers let many entries point at one table, so a small file can
unpack into billions of objects.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

# What keeps every float32 product normal and every 32-bit sum whole; the interpreter crashes, wraps or refuses beyond.
MIN_SCALE, MAX_SCALE = 1e-18, 1e18
MIN_FACTOR, MAX_FACTOR = 1e-18, 256
MAX_BIAS = 2**30
MAX_COUNTS = {
    "Subgraphs": 16,
    "OperatorCodes": 64,
    "Buffers": 512,
    "Metadata": 64,
    "MetadataBuffer": 64,
    "SignatureDefs": 4,
}
MAX_GRAPH_COUNTS = {"Tensors": 256, "Operators": 64, "Inputs": 64, "Outputs": 64}


def excess(root: Any) -> str | None:
    """Return what of a ``schema.Model`` there is too much of, or None; flatbuffers' errors pass through."""
    found = _excess_of(root, MAX_COUNTS)
    if found is not None:
        return found
    for graph in (root.Subgraphs(index) for index in range(root.SubgraphsLength())):
        found = _excess_of(graph, MAX_GRAPH_COUNTS)
        if found is not None:
            return found
        for tensor in (graph.Tensors(index) for index in range(graph.TensorsLength())):
            if tensor.VariantTensorsLength() or tensor.Sparsity() is not None:
                return "a tensor is sparse or a variant"
    return None


def number_problem(
    bias: NDArray[np.int32], weight_scales: NDArray[np.float32], input_scale: float, output_scale: float
) -> str | None:
    """Return which numbers of a layer are beyond what is computed alike everywhere, or None."""
    factors = weight_scales.astype(np.float64) * input_scale / output_scale
    if factors.min() < MIN_FACTOR or factors.max() >= MAX_FACTOR:
        return "scales"
    if np.abs(bias.astype(np.int64)).max() > MAX_BIAS:
        return "biases"
    return None


def _excess_of(table: Any, limits: dict[str, int]) -> str | None:
    for part, limit in limits.items():
        count = getattr(table, f"{part}Length")()
        if count > limit:
            return f"it has {count} {part.lower()}, more than {limit}"
    return None
