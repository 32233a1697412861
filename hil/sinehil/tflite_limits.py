"""How much a .tflite may hold, counted before it is unpacked.

FlatBuffers let many entries point at one table, so a small file can unpack into billions of objects.
"""

from typing import Any

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


def _excess_of(table: Any, limits: dict[str, int]) -> str | None:
    for part, limit in limits.items():
        count = getattr(table, f"{part}Length")()
        if count > limit:
            return f"it has {count} {part.lower()}, more than {limit}"
    return None
