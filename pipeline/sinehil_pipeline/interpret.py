"""Run a .tflite file on this machine with the LiteRT interpreter."""

import numpy as np

from sinehil_pipeline.data import Float32s


def run_interpreter(model: bytes, x: Float32s) -> Float32s:
    """Return y, shape [n], for x of shape [n], one inference each, as a board would make them."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=model)
    interpreter.allocate_tensors()
    x_index = interpreter.get_input_details()[0]["index"]
    y_index = interpreter.get_output_details()[0]["index"]
    y = np.empty_like(x)
    for number, value in enumerate(x):
        interpreter.set_tensor(x_index, value.reshape(1, 1))
        interpreter.invoke()
        y[number] = interpreter.get_tensor(y_index)[0, 0]
    return y
