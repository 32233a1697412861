"""The real interpreter that a board must equal: ai-edge-litert with its default delegate."""

from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from sinehil.arithmetic import dequantize, quantize_input
from sinehil.errors import ArtefactError
from sinehil.quiet import quiet_stderr
from sinehil.tflite_model import QuantizedModel

Float32s = NDArray[np.float32]
Codes = NDArray[np.int8]


class LitertOracle:
    """Runs the .tflite itself; batches are made by resizing its input, which changes no result."""

    name = "litert"

    def __init__(self, model: QuantizedModel) -> None:
        from ai_edge_litert.interpreter import Interpreter

        self.version = version("ai-edge-litert")
        self._model = model
        try:
            with quiet_stderr():
                self._interpreter = Interpreter(model_content=model.data)
                self._interpreter.allocate_tensors()
            self._source = self._interpreter.get_input_details()[0]["index"]
            self._result = self._interpreter.get_output_details()[0]["index"]
        except (ValueError, RuntimeError) as error:
            raise ArtefactError(
                f"the interpreter refuses the model: {error}", "convert the model again"
            ) from error

    def predict(self, x: Float32s) -> Float32s:
        """Return y, float32 [n], for float32 x [n] of a model with one input and one output."""
        if not (self._model.float_input and self._model.float_output):
            return dequantize(self.predict_codes(quantize_input(x, self._model.input)), self._model.output)
        return self._run(np.asarray(x, np.float32).reshape(-1, 1)).ravel().astype(np.float32)

    def predict_codes(self, x_q: Codes) -> Codes:
        """Return the int8 codes beneath the output for int8 codes [n] beneath the input."""
        if not (self._model.float_input and self._model.float_output):
            return self._run(np.asarray(x_q, np.int8).reshape(-1, 1)).ravel().astype(np.int8)
        x = dequantize(x_q, self._model.input)
        if not np.array_equal(quantize_input(x, self._model.input), x_q):
            raise ArtefactError("the model's input scale does not give every code a number of its own")
        return self._codes_of(self.predict(x))

    def _codes_of(self, y: Float32s) -> Codes:
        every = np.arange(-128, 128, dtype=np.int16).astype(np.int8)
        values = dequantize(every, self._model.output)
        index = np.searchsorted(values, y)
        if not np.array_equal(values[np.minimum(index, 255)], y):
            raise ArtefactError("the interpreter gave a y that belongs to no output code")
        return every[index]

    def _run(self, batch: NDArray[np.generic]) -> NDArray[np.generic]:
        interpreter = self._interpreter
        with quiet_stderr():
            interpreter.resize_tensor_input(self._source, batch.shape, strict=False)
            interpreter.allocate_tensors()
        interpreter.set_tensor(self._source, batch)
        interpreter.invoke()
        result: NDArray[np.generic] = interpreter.get_tensor(self._result)
        return result
