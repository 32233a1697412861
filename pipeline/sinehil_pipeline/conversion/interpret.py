"""Run a .tflite file on this machine with the LiteRT interpreter."""

from typing import Any

import numpy as np

from sinehil.model.arithmetic import LITERT, dequantize
from sinehil.model.arrays import Float32s
from sinehil.model.tflite import Quantization


def run_interpreter(model: bytes, x: Float32s) -> Float32s:
    """Return y, shape [n], for x of shape [n], one inference each, as a board would make them.

    Where the model takes or gives int8 codes, they are made from x and turned into y here.
    """
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=model)
    interpreter.allocate_tensors()
    source, result = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    values = LITERT.quantize_input(x, _quantization(source)) if source["dtype"] is np.int8 else x
    outputs = np.empty(len(x), result["dtype"])
    for number, value in enumerate(values):
        interpreter.set_tensor(source["index"], value.reshape(1, 1))
        interpreter.invoke()
        outputs[number] = interpreter.get_tensor(result["index"])[0, 0]
    return dequantize(outputs, _quantization(result)) if result["dtype"] is np.int8 else outputs


def _quantization(details: Any) -> Quantization:
    scale, zero_point = details["quantization"]
    return Quantization(np.float32(scale), int(zero_point))
