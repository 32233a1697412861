"""All engines of a comparison, ours and others', as sources for the sketch."""

from sinehil.errors import UsageError
from sinehil.model.tflite import QuantizedModel
from sinehil_audit.engines.emlearn_float import emlearn_files, emlearn_infer
from sinehil_audit.engines.measure import Engine
from sinehil_audit.engines.tflite_style import tflite_style
from sinehil_kernels import proven_kernel
from sinehil_kernels.c_parts import checksum, float_ends, head
from sinehil_kernels.generated import C_FILE

NOTHING = """
void sinehil_infer(const int8_t *x_q, int8_t *y_q) { y_q[0] = x_q[0]; }
"""
OURS = ("table", "speed", "size", "portable")


def our_engines(model: QuantizedModel, oracle: str) -> list[Engine]:
    """Return the kernels of ours that the model can have, the fastest first."""
    return [Engine(kind, f"sinehil {kind}", proven_kernel(model, oracle, kind).sources) for kind in OURS]


def peer_engines(model: QuantizedModel) -> list[Engine]:
    """Return the same net made in other ways; UsageError if emlearn is not installed or cannot make it."""
    if len(model.dense_layers) < len(model.layers):
        raise UsageError("the peers have no TANH and LOGISTIC tables", "compare a model without them")
    return [
        Engine("tflite-style", "TFLite-style C", {C_FILE: _file(model, "tflite-c", tflite_style(model))}),
        Engine(
            "emlearn",
            "emlearn, float",
            {C_FILE: _file(model, "emlearn", emlearn_infer(model)), **emlearn_files(model)},
        ),
    ]


def nothing(model: QuantizedModel) -> Engine:
    """Return an engine that computes nothing: what it takes is the firmware around every other."""
    return Engine("nothing", "nothing", {C_FILE: _file(model, "nothing", NOTHING)})


def _file(model: QuantizedModel, engine: str, infer: str) -> str:
    """Return a whole engine with the float ends that all share; its checksum covers the identity only."""
    return head(model, "none", engine) + infer + float_ends(model, "litert") + checksum([])
