"""Compile and load a kernel's C on this machine; assembly is there as bytes only, for the checksum."""

import ctypes

import numpy as np

from sinehil.model.arrays import AnyArray, Codes, Float32s
from sinehil.native.library import compile_library
from sinehil_kernels.avr.sources import host_code
from sinehil_kernels.generated import ASSEMBLY_FILE, GeneratedKernel

SKETCH_FILES = ("crc32.c", "float_io.c")  # what a kernel calls

LOOPS = """\
#include "sinehil_engine.h"

void infer_all(const int8_t *x_q, int8_t *y_q, uint32_t samples) {
  const struct sinehil_model_identity *model = &sinehil_model_identity;
  for (; samples--; x_q += model->inputs, y_q += model->outputs) sinehil_infer(x_q, y_q);
}

void quantize_all(const float *x, int8_t *x_q, uint32_t count) {
  while (count--) *x_q++ = sinehil_quantize_input(*x++);
}

void dequantize_all(const int8_t *y_q, float *y, uint32_t count) {
  while (count--) *y++ = sinehil_dequantize_output(*y_q++);
}
"""


NO_INFER = """
#include "sinehil_engine.h"

void sinehil_infer(const int8_t *x_q, int8_t *y_q) { (void)x_q, (void)y_q; }
"""


class HostFunctions:
    """The functions of sinehil_engine.h on arrays, one call for all samples; ``library`` has LOOPS in it."""

    def __init__(self, library: ctypes.CDLL, outputs: int) -> None:
        self._library, self._outputs = library, outputs

    def infer(self, x_q: Codes) -> Codes:
        """Return output codes [n, outputs] for input codes [n, inputs]."""
        y_q = np.empty((len(x_q), self._outputs), np.int8)
        self._call("infer_all", x_q, y_q, len(x_q))
        return y_q

    def quantize(self, x: Float32s) -> Codes:
        """Return the code of each number."""
        x_q = np.empty(x.shape, np.int8)
        self._call("quantize_all", x, x_q, x.size)
        return x_q

    def dequantize(self, y_q: Codes) -> Float32s:
        """Return the number of each code."""
        y = np.empty(y_q.shape, np.float32)
        self._call("dequantize_all", y_q, y, y_q.size)
        return y

    def weights_crc32(self) -> int:
        """Return what the device would say of its constants."""
        function = self._library.sinehil_weights_crc32
        function.restype = ctypes.c_uint32
        return int(function())

    def _call(self, name: str, source: AnyArray, result: AnyArray, count: int) -> None:
        function = self._library[name]
        function.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint32]
        function.restype = None
        function(np.ascontiguousarray(source).ctypes.data, result.ctypes.data, count)


class HostKernel(HostFunctions):
    """Those of a generated kernel."""

    def __init__(self, kernel: GeneratedKernel, outputs: int) -> None:
        """Compile and load; ToolError if the C does not compile or this machine does not load it."""
        super().__init__(_load(kernel), outputs)


def _load(kernel: GeneratedKernel) -> ctypes.CDLL:
    texts = {name: text for name, text in kernel.sources.items() if name != ASSEMBLY_FILE}
    texts["loops.c"] = LOOPS
    if kernel.program is not None:
        texts["assembly.c"] = host_code(kernel.program) + NO_INFER
    return compile_library(texts, SKETCH_FILES)
