"""Oracles that a board must equal: LiteRT with its default delegate, its reference kernels, and TFLM."""

from abc import ABC, abstractmethod
from importlib.metadata import PackageNotFoundError, version
from typing import Any, ClassVar, Protocol

import numpy as np

from sinehil.base.quiet import quiet_stderr
from sinehil.errors import ArtefactError, ToolError
from sinehil.model.arithmetic import arithmetic_of, dequantize
from sinehil.model.arrays import AnyArray, Codes, Float32s
from sinehil.model.tflite import QuantizedModel

TFLM_ARENA_BYTES = 1 << 20  # 64 tensors of 64 bytes need far less


class Oracle(Protocol):
    """What computes the expected outputs of one model, and says what it is.

    Samples are rows, [n, inputs], and so are results, [n, outputs]. Where the model has one input they may come as
    [n], and then results are [n] too if it has one output.
    """

    name: str
    version: str

    def predict(self, x: Float32s) -> Float32s:
        """Return float32 y for float32 x."""

    def predict_codes(self, x_q: Codes) -> Codes:
        """Return the int8 codes beneath the output for int8 codes beneath the input."""


class CachedOracle:
    """An Oracle that asks another one for the same inputs only once."""

    def __init__(self, oracle: Oracle) -> None:
        self.name, self.version = oracle.name, oracle.version
        self._oracle = oracle
        self._y: dict[tuple[bytes, tuple[int, ...]], Float32s] = {}
        self._codes: dict[tuple[bytes, tuple[int, ...]], Codes] = {}

    def predict(self, x: Float32s) -> Float32s:
        """See Oracle."""
        key = x.tobytes(), x.shape
        if key not in self._y:
            self._y[key] = self._oracle.predict(x)
        return self._y[key]

    def predict_codes(self, x_q: Codes) -> Codes:
        """See Oracle."""
        key = x_q.tobytes(), x_q.shape
        if key not in self._codes:
            self._codes[key] = self._oracle.predict_codes(x_q)
        return self._codes[key]


class InterpreterOracle(ABC):
    """A real interpreter that has loaded a model."""

    name: str
    package: ClassVar[str]
    extra: ClassVar[str] = ""  # of sinehil, where the package is none of its own dependencies

    def __init__(self, model: QuantizedModel) -> None:
        self._model, self._arithmetic = model, arithmetic_of(self.name)
        self.version = self._installed()
        try:
            with quiet_stderr():
                self._load(model.data)
        except ImportError as error:
            raise ToolError(
                f"the oracle {self.name} cannot be loaded: {error}", self._how_to_install()
            ) from error
        except (ValueError, RuntimeError) as error:
            raise ArtefactError(
                f"the interpreter refuses the model: {error}", "convert the model again"
            ) from error

    def predict(self, x: Float32s) -> Float32s:
        """Return float32 y for float32 x; where the file has int8 ends, they are converted by the oracle's rules."""
        model, values = self._model, np.asarray(x, np.float32)
        feed = values if model.float_input else self._arithmetic.quantize_input(values, model.input)
        result = self._infer(feed)
        return (
            result.astype(np.float32)
            if model.float_output
            else dequantize(result.astype(np.int8), model.output)
        )

    def predict_codes(self, x_q: Codes) -> Codes:
        """Return the int8 codes beneath the output for int8 codes beneath the input."""
        model, codes = self._model, np.asarray(x_q, np.int8)
        result = self._infer(self._floats_of(codes) if model.float_input else codes)
        return self._codes_of(result) if model.float_output else result.astype(np.int8)

    @abstractmethod
    def _load(self, data: bytes) -> None:
        """Load the .tflite; ValueError or RuntimeError if the interpreter refuses it."""

    @abstractmethod
    def _run(self, batch: AnyArray) -> AnyArray:
        """Return the results [n, outputs] for a batch [n, inputs] of what the file takes."""

    def _infer(self, values: AnyArray) -> AnyArray:
        flat = self._run(values.reshape(-1, self._model.inputs)).reshape(-1, self._model.outputs)
        return flat[:, 0] if values.ndim == 1 and self._model.outputs == 1 else flat

    def _floats_of(self, x_q: Codes) -> Float32s:
        x = dequantize(x_q, self._model.input)
        if not np.array_equal(self._arithmetic.quantize_input(x, self._model.input), x_q):
            raise ArtefactError("the model's input scale does not give every code a number of its own")
        return x

    def _codes_of(self, y: AnyArray) -> Codes:
        every = np.arange(-128, 128, dtype=np.int16).astype(np.int8)
        values = dequantize(every, self._model.output)
        index = np.searchsorted(values, y)
        if not np.array_equal(values[np.minimum(index, 255)], y):
            raise ArtefactError("the interpreter gave a y that belongs to no output code")
        return every[index]

    def _installed(self) -> str:
        try:
            return version(self.package)
        except PackageNotFoundError as error:
            raise ToolError(
                f"the oracle {self.name} needs the Python package {self.package}, which is not installed",
                self._how_to_install(),
            ) from error

    def _how_to_install(self) -> str:
        return f'install it (there are wheels for Linux on x86-64): pip install "sinehil{self.extra}"'


class LitertOracle(InterpreterOracle):
    """LiteRT with its default delegate; batches are made by resizing its input, which changes no result."""

    name = "litert"
    package = "ai-edge-litert"

    def _load(self, data: bytes) -> None:
        self._interpreter = self._open(data)
        self._interpreter.allocate_tensors()
        self._source = self._interpreter.get_input_details()[0]
        self._result = self._interpreter.get_output_details()[0]["index"]

    def _open(self, data: bytes) -> Any:
        return open_litert(data)

    def _run(self, batch: AnyArray) -> AnyArray:
        if not self._model.batchable:
            rows = [self._invoke(row.reshape(self._source["shape"])).ravel() for row in batch]
            return np.array(rows).reshape(len(batch), self._model.outputs)
        with quiet_stderr():
            self._interpreter.resize_tensor_input(self._source["index"], batch.shape, strict=False)
            self._interpreter.allocate_tensors()
        return self._invoke(batch)

    def _invoke(self, batch: AnyArray) -> AnyArray:
        self._interpreter.set_tensor(self._source["index"], batch)
        self._interpreter.invoke()
        result: AnyArray = self._interpreter.get_tensor(self._result)
        return result


class LitertRefOracle(LitertOracle):
    """LiteRT with its reference kernels and no delegate."""

    name = "litert-ref"

    def _open(self, data: bytes) -> Any:
        from ai_edge_litert.interpreter import OpResolverType

        return open_litert(data, experimental_op_resolver_type=OpResolverType.BUILTIN_REF)


class TflmOracle(InterpreterOracle):
    """TensorFlow Lite Micro, from its own wheel, one sample after the other."""

    name = "tflm"
    package = "tflite-micro"
    extra = "[tflm]"

    def _load(self, data: bytes) -> None:
        from tflite_micro import runtime

        open_litert(data)  # TFLM reads on without a check
        self._interpreter = runtime.Interpreter.from_bytes(data, arena_size=TFLM_ARENA_BYTES)
        self._shape = self._interpreter.get_input_details(0)["shape"]

    def _run(self, batch: AnyArray) -> AnyArray:
        rows = [self._invoke(row.reshape(self._shape)) for row in batch]
        return np.array(rows).reshape(len(batch), self._model.outputs)

    def _invoke(self, sample: AnyArray) -> AnyArray:
        self._interpreter.set_input(sample, 0)
        self._interpreter.invoke()
        result: AnyArray = self._interpreter.get_output(0).ravel()
        return result


def open_litert(data: bytes, **options: Any) -> Any:
    """Return a LiteRT interpreter; ValueError if its verifier finds that ``data`` is no FlatBuffer of a model."""
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter(model_content=data, **options)


_ALL: dict[str, type[InterpreterOracle]] = {
    kind.name: kind for kind in (LitertOracle, LitertRefOracle, TflmOracle)
}


def open_oracle(name: str, model: QuantizedModel) -> Oracle:
    """Load ``model`` into the interpreter with this name.

    UsageError for an unknown name, ToolError if the interpreter is not installed, ArtefactError if it refuses.
    """
    return _ALL[arithmetic_of(name).name](model)
