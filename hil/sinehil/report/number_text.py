"""Numbers as text, the same way in every kind of report."""

import math

import numpy as np

from sinehil.verify.result import BoardCounters

_ORACLE_NAMES = {
    "litert": "LiteRT",
    "litert-ref": "LiteRT (reference kernels)",
    "tflm": "TensorFlow Lite Micro",
}


def oracle_label(oracle: str, version: str) -> str:
    """Return how people call an interpreter: ``LiteRT 2.3.0``."""
    return f"{_ORACLE_NAMES.get(oracle, oracle)} {version}".strip()


def float32_text(value: np.float32 | float) -> str:
    """Return the shortest decimal that reads back as the same float32; infinities carry their sign."""
    number = np.float32(value)
    if np.isinf(number):
        return "+inf" if number > 0 else "-inf"
    return "NaN" if np.isnan(number) else str(number)


def bits_text(value: np.float32 | float) -> str:
    """Return the 32 bits of a float32 as ``0x3f800000``."""
    return f"0x{int(np.float32(value).view(np.uint32)):08x}"


def number_text(value: float, digits: int = 4) -> str:
    """Return a measured number with ``digits`` significant digits and thousands separators."""
    if not math.isfinite(value):
        return "not a number" if math.isnan(value) else "infinite"
    if value == 0:
        return "0"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{decimals}f}" if decimals < 10 else f"{value:.{digits - 1}e}"


def counters_text(counters: BoardCounters) -> str:
    """Return what the board counted itself: ``1,013 bytes of RAM free at the least, 0 overruns, 0 framing errors``."""
    ram = f"{counters.least_free_ram_bytes:,} bytes of RAM free at the least"
    return f"{ram}, {count_text(counters.overruns, 'overrun')}, {count_text(counters.framing_errors, 'framing error')}"


def count_text(count: int, noun: str) -> str:
    """Return ``1 output``, ``2,304 outputs``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
