"""Read a quantized .tflite through its schema as plain data, every field checked. Imports base."""

from sinehil.model.tflite.limits import MAX_FILE_BYTES, MAX_LAYERS, MAX_WIDTH
from sinehil.model.tflite.quantized_model import (
    Activation,
    FullyConnected,
    Lookup,
    Quantization,
    QuantizedModel,
    TableOperator,
)
from sinehil.model.tflite.reader import load_quantized_model, parse_quantized_model

__all__ = [
    "MAX_FILE_BYTES",
    "MAX_LAYERS",
    "MAX_WIDTH",
    "Activation",
    "FullyConnected",
    "Lookup",
    "Quantization",
    "QuantizedModel",
    "TableOperator",
    "load_quantized_model",
    "parse_quantized_model",
]
