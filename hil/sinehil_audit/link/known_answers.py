"""Compile firmwares whose every answer is known: their functions are called directly, without a line."""

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from sinehil.model.arrays import Codes, Float32s
from sinehil.native import NativeFirmware
from sinehil_audit.link.reference_parser import INFER_F32

INFER = "void sinehil_infer("
UNTOUCHED = "untouched_infer"


@dataclass(frozen=True)
class KnownFirmware:
    """An image with one input and one output, and its truth: the output code of each input code from -128 on.

    ``kernel`` is the C that makes it this one, by file name, for a board's own compiler.
    """

    name: str
    model_sha256: str
    kernel: Mapping[str, str]
    image: NativeFirmware
    codes: Codes
    _answers: dict[tuple[int, bytes], bytes] = field(default_factory=dict, repr=False)

    def code_of(self, x_q: Codes) -> Codes:
        """Return the output codes."""
        answers: Codes = self.codes[x_q.astype(np.int16) + 128]
        return answers

    def y_of(self, x: Float32s) -> Float32s:
        """Return y, through the firmware's own conversions, called directly."""
        library = self.image.library
        quantize, real = library.sinehil_quantize_input, library.sinehil_dequantize_output
        quantize.argtypes, quantize.restype = [ctypes.c_float], ctypes.c_int8
        real.argtypes, real.restype = [ctypes.c_int8], ctypes.c_float
        x_q = np.array([quantize(float(value)) for value in x], np.int8)
        return np.array([real(int(code)) for code in self.code_of(x_q)], np.float32)

    def answer(self, kind: int, payload: bytes) -> bytes:
        """Return the payload of the true reply to INFER_I8 or INFER_F32."""
        key = kind, payload
        if key not in self._answers:
            self._answers[key] = (
                self.y_of(np.frombuffer(payload, "<f4")).astype("<f4").tobytes()
                if kind == INFER_F32
                else self.code_of(np.frombuffer(payload, np.int8)).tobytes()
            )
        return self._answers[key]


def known(name: str, model_sha256: str, kernel: Mapping[str, str]) -> KnownFirmware:
    """Compile a kernel and ask its functions for everything."""
    image = NativeFirmware.compile(kernel)
    x_q, y_q = ctypes.c_int8(), ctypes.c_int8()
    codes = np.empty(256, np.int8)
    for code in range(-128, 128):
        x_q.value = code
        image.library.sinehil_infer(ctypes.byref(x_q), ctypes.byref(y_q))
        codes[code + 128] = y_q.value
    return KnownFirmware(name, model_sha256, kernel, image, codes)


def with_wrong_code(kernel: Mapping[str, str], code: int, error: int) -> dict[str, str]:
    """Return the kernel, its identity and constants as they were, with another output for one input code."""
    return _wrapped(kernel, f"if (*x_q == {code}) *y_q = (int8_t)(*y_q ^ {error});")


def with_other_model(kernel: Mapping[str, str], model_sha256: str, other_sha256: str) -> dict[str, str]:
    """Return the kernel of another model: another hash, and another output for every code."""
    old, new = (
        ", ".join(f"0x{byte:02x}" for byte in bytes.fromhex(text)) for text in (model_sha256, other_sha256)
    )
    texts = {name: text.replace(old, new) for name, text in kernel.items()}
    if texts == dict(kernel):
        raise AssertionError("the kernel does not have its model's hash")
    return _wrapped(texts, "*y_q = (int8_t)~*y_q;")


def _wrapped(kernel: Mapping[str, str], then: str) -> dict[str, str]:
    """Put a statement behind every inference."""
    texts = {name: text.replace(INFER, f"static void {UNTOUCHED}(", 1) for name, text in kernel.items()}
    [name] = [name for name, text in texts.items() if UNTOUCHED in text]
    texts[name] += f"\n{INFER}const int8_t *x_q, int8_t *y_q) {{\n  {UNTOUCHED}(x_q, y_q);\n  {then}\n}}\n"
    return texts
