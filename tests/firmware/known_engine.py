"""What known_engine.c computes, and the shape that goes with it."""

from pathlib import Path

import numpy as np

from sinehil.model.arrays import Codes

SOURCE = Path(__file__).parent / "known_engine.c"


def known_codes(x_q: Codes, outputs: int) -> Codes:
    """Return the codes [n, outputs] for codes [n, inputs]."""
    codes = x_q.view(np.uint8).astype(np.uint16)
    bits = np.arange(codes.shape[1], dtype=np.uint16) % 8
    turned = ((codes << bits) | (codes >> (8 - bits))).astype(np.uint8)
    every = np.bitwise_xor.reduce(turned, axis=1) ^ np.uint8(0x55)
    found: Codes = (every[:, None] ^ np.arange(outputs, dtype=np.uint8)).view(np.int8)
    return found


def shape_header(inputs: int, outputs: int) -> str:
    """Return the text of its sinehil_shape.h."""
    return f"#define SINEHIL_INPUTS {inputs}\n#define SINEHIL_OUTPUTS {outputs}\n"
