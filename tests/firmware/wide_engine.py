"""A hand-written engine for any small net, with the oracle's own float rule for LiteRT: slow, large, and right.

It stands in for a generated kernel, so that what is tested here does not hang on the generator.
"""

import numpy as np

from sinehil.model.arithmetic import LITERT, multipliers
from sinehil.model.tflite import FullyConnected, QuantizedModel

CRC32 = 0x12345678


def engine_text(model: QuantizedModel) -> str:
    """Return the C file."""
    source, result = model.input, model.output
    layers = "".join(_layer(n, layer) for n, layer in enumerate(model.layers))
    calls = "\n".join(f"  layer_{n}({'ab'[n % 2]}, {'ab'[(n + 1) % 2]});" for n in range(len(model.layers)))
    inverse = (np.float32(1) / source.scale).item().hex()
    return f"""\
#include <math.h>

#include "sinehil_engine.h"
#include "sinehil_float_io.h"

const struct sinehil_model_identity sinehil_model_identity PROGMEM = {{
    "by hand", "litert", {{0}}, {source.scale.item().hex()}f, {result.scale.item().hex()}f,
    {source.zero_point}, {result.zero_point}, {model.inputs}, {model.outputs}}};
{layers}
void sinehil_infer(const int8_t *x_q, int8_t *y_q) {{
  int8_t a[64], b[64];
  memcpy(a, x_q, {model.inputs});
{calls}
  memcpy(y_q, {"ab"[len(model.layers) % 2]}, {model.outputs});
}}

int8_t sinehil_quantize_input(float x) {{ return sinehil_code_half_even(x * {inverse}f, {source.zero_point}); }}
float sinehil_dequantize_output(int8_t y_q) {{
  return sinehil_real(y_q, {result.zero_point}, {result.scale.item().hex()}f);
}}
uint32_t sinehil_weights_crc32(void) {{ return 0x{CRC32:08X}UL; }}
"""


def _layer(n: int, layer: FullyConnected) -> str:
    low, high = LITERT.code_limits(layer)
    weights = ", ".join(map(str, layer.weights.ravel().tolist()))
    bias = ", ".join(f"{value}L" for value in layer.bias.tolist())
    factors = ", ".join(f"{value.hex()}f" for value in multipliers(layer).tolist())
    outputs, inputs = layer.weights.shape
    return f"""
static const int8_t weights_{n}[] PROGMEM = {{{weights}}};
static const int32_t bias_{n}[] = {{{bias}}};
static const float factor_{n}[] = {{{factors}}};

static void layer_{n}(const int8_t *in, int8_t *out) {{
  for (uint8_t j = 0; j < {outputs}; ++j) {{
    int32_t sum = bias_{n}[j];
    for (uint8_t i = 0; i < {inputs}; ++i) {{
      const int16_t code = (int16_t)(in[i] - ({layer.input.zero_point}));
      sum += (int32_t)code * (int8_t)pgm_read_byte(&weights_{n}[j * {inputs} + i]);
    }}
    const long code = lrintf((float)sum * factor_{n}[j]) + ({layer.output.zero_point});
    out[j] = (int8_t)(code < {low} ? {low} : code > {high} ? {high} : code);
  }}
}}
"""
